//! Counts and durations of requests on record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use client::{LogSummary, Percentiles, TypeSummary};
use serde::Serialize;
use utoipa::ToSchema;

/// Requests on record, counted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "from": "2026-03-19T11:00:00Z", "to": "2026-03-19T12:00:00Z", "count": 1205,
    "results": [{
        "request_type": "get_run", "count": 1200, "outcomes": {"succeeded": 1197, "timeout": 2, "open": 1},
        "duration_ms": {"p50": 92.4, "p90": 140.8, "p95": 181.1, "p99": 420.7}
    }, {
        "request_type": "trigger_job", "count": 5, "outcomes": {"refused": 5}, "duration_ms": {"p50": 1.1, "p90": 1.4, "p95": 1.4, "p99": 1.4}
    }]
}))]
pub(crate) struct RequestLogSummary {
    /// The earliest arrival, included.
    from: DateTime<Utc>,
    /// The latest arrival, excluded.
    to: DateTime<Utc>,
    /// The number of requests.
    count: u64,
    /// By request type, the most frequent first.
    results: Vec<RequestTypeSummary>,
}

/// The requests of one type.
#[derive(Debug, Serialize, ToSchema)]
struct RequestTypeSummary {
    /// The operation, as `request_type` of a request on record.
    request_type: String,
    count: u64,
    /// The number of requests by outcome; `open`: not finished.
    outcomes: BTreeMap<String, u64>,
    /// Of finished requests; null if there are none.
    duration_ms: Option<DurationPercentiles>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
struct DurationPercentiles {
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
}

impl From<LogSummary> for RequestLogSummary {
    fn from(summary: LogSummary) -> Self {
        Self {
            from: summary.from,
            to: summary.to,
            count: summary.types.iter().map(|of_type| of_type.count).sum(),
            results: summary.types.into_iter().map(RequestTypeSummary::from).collect(),
        }
    }
}

impl From<TypeSummary> for RequestTypeSummary {
    fn from(summary: TypeSummary) -> Self {
        let of = |Percentiles { p50, p90, p95, p99 }| DurationPercentiles { p50, p90, p95, p99 };
        Self {
            request_type: summary.request_type,
            count: summary.count,
            outcomes: summary.outcomes,
            duration_ms: summary.durations.map(of),
        }
    }
}
