//! Callers whose triggers meet random faults, and who repeat them under their key until there is an answer.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::gateways::GATEWAYS;
use crate::chaos::cluster::{Cluster, run_of, told};
use crate::chaos::double::{lists, next_trigger, trigger_path};
use crate::latencies::Latencies;

/// How long a caller repeats its trigger before its run counts as lost. Longer than the horizon and a restart.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the callers saw, beside the simulator's own count.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) schedules: u64,
    /// Triggers that reached the simulator, also those that it did not work on.
    pub(crate) triggers: u64,
    pub(crate) runs: u64,
    /// Runs beyond the first of a key.
    pub(crate) duplicates: u64,
    /// Keys whose run the caller did not learn.
    pub(crate) losses: u64,
    /// From sending a trigger whose answer was lost at once to the 201 with its run.
    pub(crate) found: Latencies,
    pub(crate) problems: Vec<String>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            schedules: 0,
            triggers: 0,
            runs: 0,
            duplicates: 0,
            losses: 0,
            found: Latencies::new(),
            problems: Vec::new(),
        }
    }
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.triggers += other.triggers;
        self.runs += other.runs;
        self.duplicates += other.duplicates;
        self.losses += other.losses;
        self.found.add(&other.found);
        self.problems.extend(other.problems);
    }
}

/// Faults of the POST: kind, and whether the run is started before the answer is lost.
fn faults() -> Vec<Value> {
    let answer = |status: u16, work_done: bool| json!({"kind": "answer", "status": status, "body": {"kind": "html"}, "work_done": work_done});
    vec![
        json!({"kind": "reset_before"}),
        json!({"kind": "reset_after"}),
        json!({"kind": "truncate"}),
        json!({"kind": "malformed_json"}),
        answer(500, true),
        answer(502, true),
        answer(503, false),
        answer(504, true),
        answer(408, true),
        answer(200, true),
        answer(200, false),
        answer(400, false),
    ]
}

/// Runs schedules on one job until `until`, one after another.
pub(crate) async fn call(
    cluster: &Cluster,
    job: &str,
    dice: &Dice,
    until: Instant,
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let faults = faults();
    while Instant::now() < until {
        let name = format!("schedule {job} {}", seen.schedules);
        let after = cluster.double.now().await?;
        let mut answered = Vec::new();
        for _ in 0..=dice.below(3) {
            let fault = (dice.percent(80)).then(|| dice.pick(&faults));
            let on = match fault {
                Some(effect) => Some(cluster.double.fault(next_trigger(job, effect)).await?),
                None => None,
            };
            let away = json!({"effect": {"kind": "answer", "status": 503}});
            let away = if dice.percent(20) {
                Some(cluster.double.fault(lists(job, away)).await?)
            } else {
                None
            };
            let began = Instant::now();
            let index = dice.below(GATEWAYS);
            let first = cluster.trigger(index, job, &name, "");
            if dice.percent(30) {
                let (one, two) = futures::join!(first, cluster.trigger(1 - index, job, &name, ""));
                answered.extend([one, two].iter().flatten().filter_map(run_of));
            } else if let Ok(answer) = first.await {
                if answer.header("x-run-origin") == Some("resolved") && away.is_none() {
                    seen.found.record(began.elapsed());
                }
                answered.extend(run_of(&answer));
            }
            for fault in on.into_iter().chain(away) {
                cluster.double.remove(fault).await?;
            }
        }
        let last = insist(cluster, dice, job, &name).await;
        let started = cluster.double.runs(job, &name).await?;
        let posts = cluster.double.requests("POST", &trigger_path(job), after).await?;
        seen.schedules += 1;
        seen.triggers += posts.len() as u64;
        seen.runs += started.len() as u64;
        seen.duplicates += (started.len() as u64).saturating_sub(1);
        if started.len() > 1 {
            seen.problems.push(format!("{name}: started {started:?}"));
        }
        match last {
            Ok(run) => {
                answered.push(run);
                if answered.iter().any(|run| started.first() != Some(run)) {
                    seen.losses += 1;
                    seen.problems
                        .push(format!("{name}: answered {answered:?}, started {started:?}"));
                }
            }
            Err(error) => {
                seen.losses += 1;
                seen.problems.push(format!("{name}: {error}, started {started:?}"));
            }
        }
    }
    Ok(())
}

/// Repeats a trigger at any gateway until it is answered with a run.
async fn insist(cluster: &Cluster, dice: &Dice, job: &str, name: &str) -> anyhow::Result<i64> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = cluster.trigger(dice.below(GATEWAYS), job, name, "").await;
        if let Some(run) = answer.as_ref().ok().and_then(run_of) {
            return Ok(run);
        }
        if Instant::now() >= until {
            anyhow::bail!(
                "no run within {PATIENCE:?}: {}",
                answer.map_or_else(|error| error.to_string(), |answer| told(&answer))
            );
        }
        sleep(Duration::from_millis(200)).await;
    }
}
