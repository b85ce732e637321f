//! A caller that disconnects: its read stops, its change continues.

use std::time::Duration;

use futures::FutureExt as _;
use model::{JobId, PageQuery, ProjectFilter, ProjectId, RequestType};
use provider::{Outcome, ProviderError};
use serde_json::json;

use crate::support::{LogMode, Reply, TestProvider, exchanges, reasons, trigger_input};

/// Drops `request` once `moment` resolves.
async fn disconnect_at<T>(request: impl Future<Output = T>, moment: impl Future<Output = ()>) {
    tokio::select! {
        _ = request => panic!("the request ended before its caller disconnected"),
        () = moment => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_caller_disconnects_is_logged_as_caller_gone() {
    let fixture = TestProvider::with(|_, _| Reply::Never);
    let request = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7));

    Box::pin(disconnect_at(request, fixture.dbt.received(1))).await;

    let row = fixture.log.closed_row().await;
    let closing = row.closing().unwrap();
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert_eq!(
        (closing.attempts, closing.status_code, closing.error()),
        (1, None, None)
    );
    assert!(
        exchanges(&row)[0]["duration_ms"].is_null(),
        "the interrupted exchange has no duration"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_caller_disconnects_reads_no_further_pages() {
    // Each page takes a second, three at a time: the caller disconnects during the second three.
    let fixture = TestProvider::with(|_, request| {
        let offset = i64::try_from(crate::support::slice(request).0).unwrap();
        Reply::page(offset..offset + 100, Some(1000)).after(Duration::from_secs(1))
    });
    let all = PageQuery::new(1, 1000).unwrap();
    let ctx = fixture.ctx(RequestType::ListProjects);
    let request = fixture.provider.list_projects(ctx, ProjectFilter::default(), all);

    Box::pin(disconnect_at(request, fixture.dbt.received(5))).await;

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    let sent = fixture.dbt.count();
    assert_eq!(usize::try_from(row.attempts()).unwrap(), sent);
    // A task that is still running would read the remaining pages in this time.
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(fixture.dbt.count(), sent);
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_caller_disconnects_is_not_retried() {
    let fixture = TestProvider::with(|_, _| Reply::status(503).retry_after(9));
    let request = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7));

    Box::pin(disconnect_at(request, tokio::time::sleep(Duration::from_secs(3)))).await;

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert_eq!(row.closing().unwrap().status_code, Some(503));
    assert_eq!(reasons(&row), ["asked"]);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(fixture.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_runs_to_its_end_after_its_caller_disconnects() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 77})).after(Duration::from_secs(30)));
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let request = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default());

    Box::pin(disconnect_at(request, fixture.dbt.received(1))).await;

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::Succeeded));
    assert_eq!(
        row.closing().unwrap().run_id.map(|id| id.0),
        Some(77),
        "the row names the new run"
    );
    assert_eq!(fixture.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_caller_disconnects_before_its_row_is_open_is_not_sent() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 77})));
    fixture.log.set_mode(LogMode::Stalls);
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let request = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default());

    Box::pin(disconnect_at(request, fixture.log.write_attempts(1))).await;
    fixture.log.set_mode(LogMode::Accepts);

    let row = fixture.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::CallerGone), 0));
    fixture.provider.drain().await;
    assert_eq!(fixture.dbt.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_polled_has_no_row() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 77})));
    let ctx = fixture.ctx(RequestType::TriggerJob);
    drop(
        fixture
            .provider
            .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default()),
    );
    fixture.provider.drain().await;
    assert_eq!((fixture.dbt.count(), fixture.log.rows().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn drain_waits_for_changes_in_flight() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 77})).after(Duration::from_secs(30)));
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let request = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default());
    Box::pin(disconnect_at(request, fixture.dbt.received(1))).await;

    assert!(
        fixture.provider.drain().now_or_never().is_none(),
        "a change is in flight"
    );
    fixture.provider.drain().await;

    assert_eq!(fixture.journal.lines()[..2], ["row open", "dbt POST"]);
    assert_eq!(fixture.log.closed_row().await.outcome(), Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_ended_by_a_shutdown_has_an_unknown_result_in_its_row_and_for_its_caller() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 77})).after(Duration::from_hours(1)));
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let request = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default());
    let (answer, ()) = tokio::join!(request, async {
        fixture.dbt.received(1).await;
        assert_eq!(fixture.provider.in_progress(), 1);
        fixture.provider.end_all();
    });

    assert!(
        matches!(answer, Err(ProviderError::Stopped { was_sent: true })),
        "{answer:?}"
    );
    let row = fixture.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Abandoned), 1));
    assert!(row.closing().unwrap().error().unwrap().contains("the gateway stopped"));
    fixture.provider.drain().await;
    assert_eq!(fixture.provider.in_progress(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_dropped_by_a_shutdown_says_so() {
    let fixture = TestProvider::with(|_, _| Reply::Never);
    let ctx = fixture.ctx(RequestType::GetProject);
    let request = fixture.provider.get_project(ctx, ProjectId(7));
    let at_dbt = async {
        fixture.dbt.received(1).await;
        fixture.provider.end_all();
    };
    Box::pin(disconnect_at(request, at_dbt)).await;

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert!(row.closing().unwrap().error().unwrap().contains("the gateway stopped"));
}
