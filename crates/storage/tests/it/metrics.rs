//! Metrics of the writer: commits, failed commits, lost rows.

use std::sync::Arc;

use metric_families::exposition;
use prometheus_client::registry::Registry;
use storage::{LogQueue, Outcome, StorageMetrics};

use crate::support::{Step, WatchedSink, commit, complete_row, lost_rows, queue_settings};

fn assert_lines(registry: &Registry, wanted: &[&str]) {
    let text = exposition(registry);
    for line in wanted {
        let found = text.lines().any(|each| each == *line);
        assert!(found, "{line} is not in:\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn commits_failures_and_lost_rows_are_counted() {
    let mut registry = Registry::default();
    let metrics = Arc::new(StorageMetrics::register(&mut registry));
    assert_lines(
        &registry,
        &[
            "request_log_rows_lost_total 0",
            "request_log_failed_commits_total{reason=\"unavailable\"} 0",
        ],
    );
    let sink = Arc::new(WatchedSink::without_database());
    let log: Arc<WatchedSink> = Arc::clone(&sink);
    let (queue, writer) = LogQueue::start(log, queue_settings(), metrics);
    sink.script([Step::Unavailable, Step::WriteWithoutAnswer, Step::Write]);
    commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();
    assert_lines(
        &registry,
        &[
            "request_log_rows_written_total 1",
            "request_log_group_rows_count 1",
            "request_log_commit_duration_seconds_count 1",
            "request_log_failed_commits_total{reason=\"unavailable\"} 1",
            "request_log_failed_commits_total{reason=\"too_slow\"} 1",
        ],
    );
    // Refused complete, and refused reduced.
    sink.script([Step::Reject, Step::Reject]);
    commit(&queue, complete_row(Outcome::NotFound)).await.unwrap_err();
    queue.close();
    assert_eq!(lost_rows(writer).await, 1);
    let text = exposition(&registry);
    assert_eq!(text.matches("\nrequests_total{").count(), 2, "{text}");
    assert_lines(
        &registry,
        &[
            "request_log_failed_commits_total{reason=\"rejected\"} 2",
            "request_log_rows_lost_total 1",
            "request_log_rows_written_total 1",
        ],
    );
}
