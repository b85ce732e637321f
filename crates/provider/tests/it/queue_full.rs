//! A full queue refuses: a request whose row has no place is not begun.

use model::{JobId, ProjectId, RequestType};
use provider::{LogError, Outcome, ProviderError};
use serde_json::json;

use crate::support::{ACCOUNT, Bench, Mood, Reply, caller, order, settings};

/// A bench whose queue is full of one read's row that nobody commits.
async fn full(capacity: usize) -> Bench {
    let bench = Bench::with_settings(settings(), capacity, |number, _| match number {
        // The first exchange lasts, so that its request keeps its place.
        1 => Reply::Never,
        _ => Reply::ok(&json!({"id": 7})),
    });
    let ctx = bench.ctx(RequestType::GetProject);
    let provider = bench.provider.clone();
    tokio::spawn(async move { provider.get_project(ctx, ProjectId(7)).await });
    bench.dbt.asked(1).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_read_without_a_place_for_its_row_is_refused_before_dbt_is_contacted() {
    let bench = full(1).await;

    let ctx = bench.ctx(RequestType::GetProject);
    let refused = bench.provider.get_project(ctx, ProjectId(7)).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::QueueFull))),
        "{refused:?}"
    );
    assert_eq!(bench.dbt.count(), 1, "only the request that fills the queue");
    assert!(bench.log.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_needs_places_for_both_its_rows() {
    let bench = full(2).await;

    let ctx = bench.ctx(RequestType::TriggerJob);
    let refused = bench.provider.trigger_job(ctx, JobId(1), order()).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::QueueFull))),
        "{refused:?}"
    );
    assert_eq!(bench.dbt.count(), 1);
    assert!(!bench.provider.has_room(), "not ready for every request");

    // The place that it could have had is free again.
    let ctx = bench.ctx(RequestType::GetProject);
    assert!(bench.provider.get_project(ctx, ProjectId(7)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn places_are_free_again_when_the_rows_are_written() {
    let bench = Bench::with_settings(settings(), 2, |_, _| Reply::ok(&json!({"id": 7})));
    for _ in 0..5 {
        let ctx = bench.ctx(RequestType::TriggerJob);
        assert!(bench.provider.trigger_job(ctx, JobId(1), order()).await.is_ok());
    }
    assert!(bench.provider.has_room());
    assert_eq!(bench.log.rows().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gate_is_a_row_of_its_own() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 7})));
    let stamp = bench.stamp();

    bench
        .provider
        .log_refusal(&stamp, RequestType::TriggerJob, &caller(), Some(ACCOUNT), "no\0 way")
        .await
        .unwrap();

    let row = bench.log.only_row();
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Refused), 0));
    assert_eq!(row.request_uuid(), stamp.request_uuid());
    assert_eq!(
        (row.fixed().api_key_id, row.fixed().account_id),
        (Some(caller().api_key_id), Some(ACCOUNT))
    );
    assert_eq!(row.closing().unwrap().error(), Some("no\u{fffd} way"));
    assert_eq!(bench.dbt.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gate_that_cannot_be_logged_says_so() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 7})));
    bench.log.now(Mood::IsAway);

    let unlogged = bench
        .provider
        .log_refusal(&bench.stamp(), RequestType::TriggerJob, &caller(), None, "no")
        .await;

    assert!(
        matches!(unlogged, Err(ProviderError::Log(LogError::Unavailable))),
        "{unlogged:?}"
    );
}
