//! The figures of the triggers in words and tables.

use super::callers::Seen;
use super::cost::Cost;
use super::kills::Killed;
use crate::latencies::Latencies;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Triggers {
    pub(crate) seed: u64,
    pub(crate) kills: u64,
    pub(crate) seen: Seen,
    pub(crate) states: Vec<Killed>,
    pub(crate) costs: Vec<Cost>,
}

impl Triggers {
    pub(crate) fn text(&self) -> String {
        let seen = &self.seen;
        let mut text = format!(
            "\nTriggers at two gateways (seed {}): {} schedules, {} gateways killed meanwhile, {} triggers seen by the simulator, \
             {} runs, {} duplicates, {} losses. From the trigger whose answer was lost to its run: {} (of {}).\n\n\
             Killed with SIGKILL; lease 3 s, horizon 10 s:\n\n\
             | state | kills | resolved by another process, s: median, longest | lock of the job free again, s |\n|---|---|---|---|\n",
            self.seed,
            seen.schedules,
            self.kills,
            seen.triggers,
            seen.runs,
            seen.duplicates,
            seen.losses,
            milliseconds(&seen.found),
            seen.found.count()
        );
        text.extend(self.states.iter().map(|killed| {
            let lock = match killed.lock.count() {
                0 => "-".to_owned(),
                _ => format!("{:.1}", killed.lock.percentile_ms(100.0) / 1000.0),
            };
            let resolved = &killed.resolved;
            format!(
                "| {} | {} | {:.1}, {:.1} | {lock} |\n",
                killed.state.name(),
                resolved.count(),
                resolved.percentile_ms(50.0) / 1000.0,
                resolved.percentile_ms(100.0) / 1000.0
            )
        }));
        text.push_str("\n| request, durable Postgres | ms: median, p99 | transactions that write |\n|---|---|---|\n");
        text.extend(self.costs.iter().map(|cost| {
            format!(
                "| {} | {:.2}, {:.2} | {:.1} |\n",
                cost.name,
                cost.latencies.percentile_ms(50.0),
                cost.latencies.percentile_ms(99.0),
                cost.commits
            )
        }));
        text
    }

    /// What must not happen, however slow the machine is.
    pub(crate) fn failure(&self) -> Option<String> {
        let of_states = self.states.iter().flat_map(|killed| &killed.problems);
        let problems: Vec<&str> = self.seen.problems.iter().chain(of_states).map(String::as_str).collect();
        (!problems.is_empty()).then(|| problems.join("\n"))
    }
}

fn milliseconds(latencies: &Latencies) -> String {
    format!(
        "median {:.0} ms, p99 {:.0} ms",
        latencies.percentile_ms(50.0),
        latencies.percentile_ms(99.0)
    )
}
