//! What this floor counts: requests as their rows end, the request log on its way into Postgres, connections.

use std::fmt;
use std::time::Duration;

use metric_families::{Counters, Durations, Gauges, Register as _, count, durations};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::request_log::{LogRow, Outcome, WriteError};
use crate::{Database, LogQueue, RequestLogs};

metric_families::label_by_name!(Outcome);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    request_type: &'static str,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfType {
    request_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    pool: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    pool: &'static str,
}

/// The families of this floor. The default ones are in no registry: they count, and nobody reads them.
#[derive(Debug)]
pub struct StorageMetrics {
    requests: Counters<Ended>,
    request_durations: Durations<OfType>,
    rows_written: Counter,
    rows_lost: Counter,
    group_rows: Histogram,
    commit_durations: Histogram,
    failed_commits: Counters<Failed>,
}

impl Default for StorageMetrics {
    fn default() -> Self {
        let failed_commits = Counters::default();
        for reason in ["unavailable", "too_slow", "rejected"] {
            drop(failed_commits.get_or_create(&Failed { reason }));
        }
        Self {
            requests: Counters::default(),
            request_durations: Durations::new_with_constructor(durations),
            rows_written: Counter::default(),
            rows_lost: Counter::default(),
            group_rows: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]),
            commit_durations: durations(),
            failed_commits,
        }
    }
}

impl StorageMetrics {
    /// The families, in that registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_metric(
            "requests",
            "Requests on record that have ended, refused ones and changes of the gateway's own records included",
            &metrics.requests,
        );
        registry.register_seconds(
            "request_duration",
            "From a request's arrival to its end",
            &metrics.request_durations,
        );
        registry.register_metric(
            "request_log_rows_written",
            "Rows that were committed, the open row of a request and its whole one counted each",
            &metrics.rows_written,
        );
        registry.register_metric(
            "request_log_rows_lost",
            "Rows that were given up: the database refused them or did not come back",
            &metrics.rows_lost,
        );
        registry.register_metric(
            "request_log_group_rows",
            "How many rows shared a commit",
            &metrics.group_rows,
        );
        registry.register_seconds(
            "request_log_commit_duration",
            "How long a commit of the request log took, failed ones left out",
            &metrics.commit_durations,
        );
        registry.register_metric(
            "request_log_failed_commits",
            "Commits of the request log that failed and were tried again or split",
            &metrics.failed_commits,
        );
        metrics
    }

    /// Tells of these, too, whenever the registry is read.
    pub fn observe(registry: &mut Registry, database: &Database, reading: &RequestLogs, queue: &LogQueue) {
        let (database, reading) = (database.clone(), reading.clone());
        registry.collected(move |gauges| connections(gauges, &database, &reading));
        let queue = queue.clone();
        registry.collected(move |gauges| {
            gauges.gauge(
                "request_log_queue_depth",
                "Rows that wait to be written or are promised",
                whole(queue.depth()),
            )?;
            gauges.gauge(
                "request_log_queue_capacity",
                "How many may: a request beyond them is refused",
                whole(queue.capacity()),
            )
        });
    }

    /// A request has ended with that row.
    pub(crate) fn ended(&self, row: &LogRow) {
        let Some(closing) = row.closing() else {
            return;
        };
        let request_type = row.fixed().request_type.as_str();
        let outcome = closing.outcome();
        count(&self.requests, &Ended { request_type, outcome });
        self.request_durations
            .get_or_create(&OfType { request_type })
            .observe(closing.duration_ms / 1000.0);
    }

    /// A group was committed.
    pub(crate) fn committed(&self, rows: usize, took: Duration) {
        self.rows_written.inc_by(rows as u64);
        #[expect(clippy::cast_precision_loss, reason = "a group has at most some thousand rows")]
        self.group_rows.observe(rows as f64);
        self.commit_durations.observe(took.as_secs_f64());
    }

    /// A commit failed.
    pub(crate) fn failed(&self, error: &WriteError) {
        let reason = match error {
            WriteError::Unavailable(_) => "unavailable",
            WriteError::TooSlow(_) => "too_slow",
            WriteError::Rejected(_) => "rejected",
        };
        count(&self.failed_commits, &Failed { reason });
    }

    /// Rows were given up.
    pub(crate) fn lost(&self, rows: usize) {
        self.rows_lost.inc_by(rows as u64);
    }
}

fn connections(gauges: &mut Gauges<'_>, database: &Database, reading: &RequestLogs) -> fmt::Result {
    let (mut open, mut most) = (Vec::new(), Vec::new());
    for (pool, of) in [("main", database.pool()), ("log_reading", reading.pool())] {
        let idle = of.num_idle();
        let in_use = (of.size() as usize).saturating_sub(idle);
        for (state, connections) in [("idle", idle), ("in_use", in_use)] {
            open.push((Connections { pool, state }, whole(connections)));
        }
        most.push((Pool { pool }, i64::from(of.options().get_max_connections())));
    }
    gauges.gauges("database_connections", "Connections to Postgres", &open)?;
    gauges.gauges("database_connections_max", "How many connections there may be", &most)
}

fn whole(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}
