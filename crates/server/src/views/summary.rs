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
pub(crate) struct SummaryView {
    /// They arrived then or later.
    from: DateTime<Utc>,
    /// They arrived earlier.
    to: DateTime<Utc>,
    /// How many there are.
    count: u64,
    /// By request type, the most frequent first.
    results: Vec<TypeSummaryView>,
}

/// The requests of one type.
#[derive(Debug, Serialize, ToSchema)]
struct TypeSummaryView {
    /// The operation, by its name in this document.
    request_type: String,
    count: u64,
    /// How many ended how; `open`: not yet.
    outcomes: BTreeMap<String, u64>,
    /// Of those that ended; null where none did.
    duration_ms: Option<PercentilesView>,
}

/// What 50, 90, 95 and 99 of 100 requests did not exceed, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
struct PercentilesView {
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
}

impl From<LogSummary> for SummaryView {
    fn from(summary: LogSummary) -> Self {
        Self {
            from: summary.from,
            to: summary.to,
            count: summary.types.iter().map(|of_type| of_type.count).sum(),
            results: summary.types.into_iter().map(TypeSummaryView::from).collect(),
        }
    }
}

impl From<TypeSummary> for TypeSummaryView {
    fn from(summary: TypeSummary) -> Self {
        let of = |Percentiles { p50, p90, p95, p99 }| PercentilesView { p50, p90, p95, p99 };
        Self {
            request_type: summary.request_type,
            count: summary.count,
            outcomes: summary.outcomes,
            duration_ms: summary.durations.map(of),
        }
    }
}
