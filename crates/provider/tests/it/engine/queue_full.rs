//! A full log queue: a request without room for its rows is refused before it starts.

use model::{JobId, ProjectId, RequestType};
use provider::{LogError, Outcome, ProviderError};
use serde_json::json;

use crate::support::{ACCOUNT, LogMode, Reply, TestProvider, caller, settings, trigger_input};

/// A fixture with one unfinished read, whose row is reserved in the queue.
async fn one_read_in_flight(capacity: usize) -> TestProvider {
    let fixture = TestProvider::with_settings(settings(), capacity, |number, _| match number {
        // The first exchange never ends, so its request keeps its reservation.
        1 => Reply::Never,
        _ => Reply::ok(&json!({"id": 7})),
    });
    let ctx = fixture.ctx(RequestType::GetProject);
    let provider = fixture.provider.clone();
    tokio::spawn(async move { provider.get_project(ctx, ProjectId(7)).await });
    fixture.dbt.received(1).await;
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_read_without_room_for_its_row_is_refused_before_dbt_is_contacted() {
    let fixture = one_read_in_flight(1).await;

    let ctx = fixture.ctx(RequestType::GetProject);
    let refused = fixture.provider.get_project(ctx, ProjectId(7)).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::QueueFull(_)))),
        "{refused:?}"
    );
    assert_eq!(fixture.dbt.count(), 1, "only the request that fills the queue");
    assert!(fixture.log.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_needs_room_for_both_its_rows() {
    let fixture = one_read_in_flight(3).await;

    let ctx = fixture.ctx(RequestType::TriggerJob);
    let refused = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default())
        .await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::QueueFull(_)))),
        "{refused:?}"
    );
    assert_eq!(fixture.dbt.count(), 1);

    // The refused change reserved nothing.
    let ctx = fixture.ctx(RequestType::GetProject);
    assert!(fixture.provider.get_project(ctx, ProjectId(7)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn room_is_free_again_once_rows_are_written() {
    let fixture = TestProvider::with_settings(settings(), 3, |_, _| Reply::ok(&json!({"id": 7})));
    for _ in 0..5 {
        let ctx = fixture.ctx(RequestType::TriggerJob);
        assert!(
            fixture
                .provider
                .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default())
                .await
                .is_ok()
        );
    }
    assert_eq!(fixture.log.rows().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gate_is_one_row() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 7})));
    let stamp = fixture.stamp();

    fixture
        .provider
        .log_refusal(&stamp, RequestType::TriggerJob, &caller(), Some(ACCOUNT), "no\0 way")
        .await
        .unwrap();

    let row = fixture.log.only_row();
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Refused), 0));
    assert_eq!(row.request_uuid(), stamp.request_uuid());
    assert_eq!(
        (row.fixed().api_key_id, row.fixed().account_id),
        (Some(caller().api_key_id), Some(ACCOUNT))
    );
    assert_eq!(row.closing().unwrap().error(), Some("no\u{fffd} way"));
    assert_eq!(fixture.dbt.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gate_that_cannot_be_logged_is_an_error() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 7})));
    fixture.log.set_mode(LogMode::Unavailable);

    let unlogged = fixture
        .provider
        .log_refusal(&fixture.stamp(), RequestType::TriggerJob, &caller(), None, "no")
        .await;

    assert!(
        matches!(unlogged, Err(ProviderError::Log(LogError::Unavailable))),
        "{unlogged:?}"
    );
}
