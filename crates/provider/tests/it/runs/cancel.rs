//! Cancelling a run: it is read first, the cancellation is sent once, and a finished run is a conflict.

use http::Method;
use model::{RequestType, Run, RunId, RunStatus};
use provider::{Outcome, ProviderError};
use serde_json::json;

use crate::support::{Reply, TestProvider, reasons};

const RUN: RunId = RunId(7);

/// dbt Cloud with a run that has the next of these statuses at each read, and with this answer to the POST.
fn run_with(states: &'static [i32], post: impl Fn() -> Reply + Send + Sync + 'static) -> TestProvider {
    let reads = std::sync::atomic::AtomicUsize::new(0);
    TestProvider::with(move |_, request| {
        if *request.method() == Method::POST {
            return post();
        }
        let read = reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Reply::ok(&json!({"id": 7, "status": states[read]}))
    })
}

async fn cancel(fixture: &TestProvider) -> Result<Run, ProviderError> {
    fixture
        .provider
        .cancel_run(fixture.ctx(RequestType::CancelRun), RUN, None)
        .await
        .map(|cancelled| cancelled.value)
}

fn is(status: i32) -> impl Fn() -> Reply + Send + Sync + 'static {
    move || Reply::ok(&json!({"id": 7, "status": status}))
}

#[tokio::test(start_paused = true)]
async fn a_run_is_read_then_cancelled_with_both_exchanges_in_the_row() {
    for (before, after) in [(1, 30), (2, 2), (3, 3), (42, 3)] {
        let states: &'static [i32] = Box::leak(Box::new([before]));
        let fixture = run_with(states, is(after));
        assert_eq!(cancel(&fixture).await.unwrap().status, Some(RunStatus::from(after)));
        assert_eq!(
            fixture.journal.lines(),
            ["row open", "dbt GET", "dbt POST", "row succeeded"]
        );
        let row = fixture.log.only_row();
        assert_eq!(reasons(&row), ["before_change", "asked"]);
        assert_eq!(row.fixed().run_id, Some(RUN));
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_run_is_not_cancelled() {
    for (status, ended) in [(10, RunStatus::Success), (20, RunStatus::Error)] {
        let states: &'static [i32] = Box::leak(Box::new([status]));
        let fixture = run_with(states, is(30));
        let refused = cancel(&fixture).await;
        assert!(
            matches!(refused, Err(ProviderError::RunFinished { run: RUN, status }) if status == ended),
            "{refused:?}"
        );
        assert_eq!(fixture.dbt.count(), 1, "only the read was sent");
        assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::Conflict));
    }
}

#[tokio::test(start_paused = true)]
async fn an_already_cancelled_run_is_the_answer() {
    let fixture = run_with(&[30], is(30));
    assert_eq!(cancel(&fixture).await.unwrap().status, Some(RunStatus::Cancelled));
    assert_eq!(fixture.dbt.count(), 1);
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_between_read_and_cancellation_is_finished() {
    let unchanged = run_with(&[3], is(10));
    let refused = cancel(&unchanged).await;
    assert!(matches!(refused, Err(ProviderError::RunFinished { .. })), "{refused:?}");

    for status in [400, 409, 422] {
        let fixture = run_with(&[3, 20], move || Reply::status(status));
        let refused = cancel(&fixture).await;
        assert!(matches!(refused, Err(ProviderError::RunFinished { .. })), "{refused:?}");
        assert_eq!(
            reasons(&fixture.log.only_row()),
            ["before_change", "asked", "after_refusal"]
        );
    }
    let fixture = run_with(&[3, 30], || Reply::status(400));
    assert_eq!(
        cancel(&fixture).await.unwrap().status,
        Some(RunStatus::Cancelled),
        "another caller cancelled it first"
    );
}

#[tokio::test(start_paused = true)]
async fn any_other_refusal_is_passed_on_unchanged() {
    let still_running = run_with(&[3, 3], || Reply::status(400));
    let refused = cancel(&still_running).await;
    assert!(matches!(refused, Err(ProviderError::Change(_))), "{refused:?}");
    assert_eq!(still_running.log.only_row().outcome(), Some(Outcome::InvalidRequest));
    for status in [403, 404, 429, 500, 503] {
        let fixture = run_with(&[3], move || Reply::status(status));
        assert!(
            matches!(cancel(&fixture).await, Err(ProviderError::Change(_))),
            "{status}"
        );
        assert_eq!(fixture.dbt.count(), 2, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_read_before_a_cancellation_is_retried() {
    let fixture = TestProvider::with(|number, request| match (number, request.method()) {
        (1, _) => Reply::status(503),
        _ => Reply::ok(&json!({"id": 7, "status": 3})),
    });
    assert!(cancel(&fixture).await.is_ok());
    assert_eq!(reasons(&fixture.log.only_row()), ["before_change", "retry", "asked"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_cancels_nothing() {
    for status in [404, 429, 500] {
        let fixture = TestProvider::with(move |_, _| Reply::status(status));
        assert!(cancel(&fixture).await.is_err());
        assert!(!fixture.journal.lines().contains(&"dbt POST".to_owned()), "{status}");
    }
}
