//! Measured figures.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::subjects::Subject;

/// Figures by the name of the scenario.
pub(crate) type Figures = BTreeMap<&'static str, ScenarioFigures>;

#[derive(Debug, Default, Serialize)]
pub(crate) struct ScenarioFigures {
    pub(crate) subjects: BTreeMap<Subject, Vec<Round>>,
    /// The median of `pgbench`'s single-row commits in each round.
    pub(crate) commit_ms: Vec<f64>,
}

/// One turn of one subject.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// By process: `gateway`, `postgres` (with its children), `nginx`, `upstream`, `load`.
    pub(crate) cpu_seconds_per_1000_requests: BTreeMap<&'static str, f64>,
}

/// Figures of the whole run; counts are sums over all gateways.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) responses: u64,
    pub(crate) rows: u64,
    pub(crate) open_rows: u64,
    pub(crate) failures: u64,
    /// Of the gateway with its defaults.
    pub(crate) peak_rss_mib: f64,
    pub(crate) baseline_peak_rss_mib: Option<f64>,
    /// Spans, in MiB.
    pub(crate) exported_mib: f64,
    /// Number of times that the metrics were read.
    pub(crate) scrapes: u64,
}
