//! Counters of this layer: ended requests, and writes of the request log.

use std::time::Duration;

use metric_families::{Counters, Durations, Register as _, count, durations};
use model::RequestType;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::outcome::Outcome;

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

/// The metric families of this layer. `Default` builds unregistered families, for tests.
#[derive(Debug)]
pub struct StorageMetrics {
    requests: Counters<Ended>,
    request_durations: Durations<OfType>,
    rows_written: Counter,
    rows_lost: Counter,
    group_rows: Histogram,
    commit_durations: Histogram,
    failed_commits: Counters<Failed>,
    unreadable_credentials: Counter,
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
            unreadable_credentials: Counter::default(),
        }
    }
}

impl StorageMetrics {
    /// Counts a stored credential that could not be loaded.
    pub(crate) fn credential_unreadable(&self) {
        self.unreadable_credentials.inc();
    }

    /// Registers the families.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_metric(
            "requests",
            "Logged requests that ended, including refused ones and changes of companies, keys and credentials",
            &metrics.requests,
        );
        registry.register_seconds(
            "request_duration",
            "Time from a request's arrival to its end",
            &metrics.request_durations,
        );
        registry.register_metric(
            "request_log_rows_written",
            "Committed rows; an open row and the complete row that closes it count separately",
            &metrics.rows_written,
        );
        registry.register_metric(
            "request_log_rows_lost",
            "Rows given up because the database refused them or stayed unavailable",
            &metrics.rows_lost,
        );
        registry.register_metric(
            "credentials_unreadable",
            "Stored credentials that could not be decrypted or read, each time that they were loaded",
            &metrics.unreadable_credentials,
        );
        registry.register_metric("request_log_group_rows", "Rows per commit", &metrics.group_rows);
        registry.register_seconds(
            "request_log_commit_duration",
            "Duration of successful commits of the request log",
            &metrics.commit_durations,
        );
        registry.register_metric(
            "request_log_failed_commits",
            "Commits of the request log that failed and were repeated or split",
            &metrics.failed_commits,
        );
        metrics
    }

    pub(crate) fn ended(&self, request_type: RequestType, outcome: Outcome, duration_ms: f64) {
        let request_type = request_type.as_str();
        count(&self.requests, &Ended { request_type, outcome });
        self.request_durations
            .get_or_create(&OfType { request_type })
            .observe(duration_ms / 1000.0);
    }

    pub(crate) fn committed(&self, rows: usize, took: Duration) {
        self.rows_written.inc_by(rows as u64);
        #[expect(clippy::cast_precision_loss, reason = "a group has at most some thousand rows")]
        self.group_rows.observe(rows as f64);
        self.commit_durations.observe(took.as_secs_f64());
    }

    /// Counts a failed commit. `reason` is one of those created at registration.
    pub(crate) fn commit_failed(&self, reason: &'static str) {
        count(&self.failed_commits, &Failed { reason });
    }

    pub(crate) fn lost(&self, rows: usize) {
        self.rows_lost.inc_by(rows as u64);
    }
}
