//! The table: what the honest callers got.

use std::time::Duration;

use crate::load::Tally;

/// The goals of the table: at least this share of the requests a second, at most this multiple of the p99.
const LEAST_RATE: f64 = 0.8;
const MOST_P99: f64 = 2.0;

/// One part of an attack.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) responses: u64,
    failures: u64,
    first_failure: Option<String>,
    per_second: f64,
    p99_ms: f64,
}

impl Part {
    #[expect(clippy::cast_precision_loss, reason = "requests of seconds")]
    pub(crate) fn new(tally: &Tally, measured: Duration) -> Self {
        Self {
            responses: tally.responses,
            failures: tally.failures,
            first_failure: tally.first_failure.clone(),
            per_second: tally.latencies.count() as f64 / measured.as_secs_f64(),
            p99_ms: tally.latencies.percentile_ms(99.0),
        }
    }
}

/// One attack.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) before: Part,
    pub(crate) during: Part,
    pub(crate) after: Part,
    /// Peak memory of the gateway before and after the attack.
    pub(crate) calm_mib: f64,
    pub(crate) peak_mib: f64,
    /// Answers to honest callers without a row.
    pub(crate) missing_rows: u64,
}

impl Row {
    fn rate(&self) -> f64 {
        self.during.per_second / self.before.per_second
    }

    fn p99(&self) -> f64 {
        self.during.p99_ms / self.before.p99_ms
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{:.0}/s, during {:.2} of it, p99 {:.1} times, after {:.2}; failures {}, peak {:.0} MiB",
            self.before.per_second,
            self.rate(),
            self.p99(),
            self.after.per_second / self.before.per_second,
            self.failures(),
            self.peak_mib
        )
    }

    fn failures(&self) -> u64 {
        self.before.failures + self.during.failures + self.after.failures
    }

    /// What must not happen, however slow the machine is.
    pub(crate) fn failure(&self) -> Option<String> {
        let first = [&self.before, &self.during, &self.after]
            .into_iter()
            .find_map(|part| part.first_failure.as_deref());
        match (self.failures(), self.missing_rows) {
            (0, 0) => None,
            (failures, missing) => Some(format!(
                "{}: {failures} honest requests failed ({}), {missing} rows are missing",
                self.name,
                first.unwrap_or("-")
            )),
        }
    }
}

/// The table as Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "| attack | requests/s before | during / before (goal {LEAST_RATE}) | after / before | p99 before, ms | p99 during / \
         before (goal {MOST_P99}) | failed | peak MiB before, after |\n|---|---|---|---|---|---|---|---|\n"
    );
    text.extend(rows.iter().map(|row| {
        format!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.2} | {} | {:.0}, {:.0} |\n",
            row.name,
            row.before.per_second,
            row.rate(),
            row.after.per_second / row.before.per_second,
            row.before.p99_ms,
            row.p99(),
            row.failures(),
            row.calm_mib,
            row.peak_mib
        )
    }));
    text
}
