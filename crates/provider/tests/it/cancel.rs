//! Cancelling: looked at first, sent once, and whatever dbt Cloud does with a run that is over.

use http::Method;
use model::{RequestType, Run, RunId, RunStatus};
use provider::{Outcome, ProviderError};
use serde_json::json;

use crate::support::{Bench, Reply, whys};

const RUN: RunId = RunId(7);

/// A dbt Cloud whose run has these states, one at each read, and which answers the POST so.
fn bench(states: &'static [i32], post: impl Fn() -> Reply + Send + Sync + 'static) -> Bench {
    let reads = std::sync::atomic::AtomicUsize::new(0);
    Bench::with(move |_, request| {
        if *request.method() == Method::POST {
            return post();
        }
        let read = reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Reply::ok(&json!({"id": 7, "status": states[read]}))
    })
}

async fn cancel(bench: &Bench) -> Result<Run, ProviderError> {
    bench.provider.cancel_run(bench.ctx(RequestType::CancelRun), RUN).await
}

fn is(status: i32) -> impl Fn() -> Reply + Send + Sync + 'static {
    move || Reply::ok(&json!({"id": 7, "status": status}))
}

#[tokio::test(start_paused = true)]
async fn a_run_is_looked_at_and_cancelled_with_both_exchanges_in_the_row() {
    for (before, after) in [(1, 30), (2, 2), (3, 3), (42, 3)] {
        let states: &'static [i32] = Box::leak(Box::new([before]));
        let bench = bench(states, is(after));
        assert_eq!(cancel(&bench).await.unwrap().status, Some(RunStatus::from(after)));
        assert_eq!(
            bench.journal.lines(),
            ["row open", "dbt GET", "dbt POST", "row succeeded"]
        );
        let row = bench.log.only_row();
        assert_eq!(whys(&row), ["before_change", "asked"]);
        assert_eq!(row.fixed().run_id, Some(RUN));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_is_left_alone() {
    for (status, ended) in [(10, RunStatus::Success), (20, RunStatus::Error)] {
        let states: &'static [i32] = Box::leak(Box::new([status]));
        let bench = bench(states, is(30));
        let refused = cancel(&bench).await;
        assert!(
            matches!(refused, Err(ProviderError::RunFinished { run: RUN, status }) if status == ended),
            "{refused:?}"
        );
        assert_eq!(bench.dbt.count(), 1, "nothing was sent but the look");
        assert_eq!(bench.log.only_row().outcome(), Some(Outcome::Conflict));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cancelled_already_is_the_answer() {
    let bench = bench(&[30], is(30));
    assert_eq!(cancel(&bench).await.unwrap().status, Some(RunStatus::Cancelled));
    assert_eq!(bench.dbt.count(), 1);
    assert_eq!(bench.log.only_row().outcome(), Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_between_the_look_and_the_cancellation_is_told_as_over() {
    let unchanged = bench(&[3], is(10));
    let refused = cancel(&unchanged).await;
    assert!(matches!(refused, Err(ProviderError::RunFinished { .. })), "{refused:?}");

    for status in [400, 409, 422] {
        let bench = bench(&[3, 20], move || Reply::status(status));
        let refused = cancel(&bench).await;
        assert!(matches!(refused, Err(ProviderError::RunFinished { .. })), "{refused:?}");
        assert_eq!(whys(&bench.log.only_row()), ["before_change", "asked", "after_refusal"]);
    }
    let bench = bench(&[3, 30], || Reply::status(400));
    assert_eq!(
        cancel(&bench).await.unwrap().status,
        Some(RunStatus::Cancelled),
        "another was first"
    );
}

#[tokio::test(start_paused = true)]
async fn another_refusal_is_told_as_it_came() {
    let still_running = bench(&[3, 3], || Reply::status(400));
    let refused = cancel(&still_running).await;
    assert!(matches!(refused, Err(ProviderError::Change(_))), "{refused:?}");
    assert_eq!(still_running.log.only_row().outcome(), Some(Outcome::InvalidRequest));
    for status in [403, 404, 429, 500, 503] {
        let bench = bench(&[3], move || Reply::status(status));
        assert!(
            matches!(cancel(&bench).await, Err(ProviderError::Change(_))),
            "{status}"
        );
        assert_eq!(bench.dbt.count(), 2, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_look_is_a_read_and_may_be_sent_again() {
    let bench = Bench::with(|number, request| match (number, request.method()) {
        (1, _) => Reply::status(503),
        _ => Reply::ok(&json!({"id": 7, "status": 3})),
    });
    assert!(cancel(&bench).await.is_ok());
    assert_eq!(whys(&bench.log.only_row()), ["before_change", "retry", "asked"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_look_nothing_is_cancelled() {
    for status in [404, 429, 500] {
        let bench = Bench::with(move |_, _| Reply::status(status));
        assert!(cancel(&bench).await.is_err());
        assert!(!bench.journal.lines().contains(&"dbt POST".to_owned()), "{status}");
    }
}
