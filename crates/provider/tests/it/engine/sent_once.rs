//! A change is sent exactly once, whatever the answer; once more if dbt Cloud did not process it.

use http::{Method, StatusCode};
use model::{JobId, RequestType, RunId};
use provider::{ApiError, ProviderError};
use serde_json::json;

use crate::support::{Reply, TestProvider, reasons, trigger_input};

/// Every change of runs.
#[derive(Debug, Clone, Copy)]
enum Change {
    Trigger,
    Cancel,
    Retry,
    Rerun,
}

const CHANGES: [Change; 4] = [Change::Trigger, Change::Cancel, Change::Retry, Change::Rerun];

/// How often the POST was sent if dbt Cloud answers it with `reply`; reads before and after it succeed.
async fn posts(change: Change, reply: impl Fn() -> Reply + Send + Sync + 'static) -> usize {
    let fixture = TestProvider::with(move |_, request| match *request.method() {
        Method::POST => reply(),
        _ => Reply::ok(&json!({"id": 1, "status": 3, "can_retry": true})),
    });
    // Only the number of requests counts, not the result.
    match change {
        Change::Trigger => drop(
            fixture
                .provider
                .trigger_job(
                    fixture.ctx(RequestType::TriggerJob),
                    JobId(1),
                    trigger_input(),
                    model::StartOptions::default(),
                )
                .await,
        ),
        Change::Cancel => drop(
            fixture
                .provider
                .cancel_run(fixture.ctx(RequestType::CancelRun), RunId(1), None)
                .await,
        ),
        Change::Retry => drop(
            fixture
                .provider
                .retry_run(
                    fixture.ctx(RequestType::RetryRun),
                    RunId(1),
                    model::StartOptions::default(),
                )
                .await,
        ),
        Change::Rerun => drop(
            fixture
                .provider
                .rerun_job(
                    fixture.ctx(RequestType::RerunJob),
                    JobId(1),
                    model::StartOptions::default(),
                )
                .await,
        ),
    }
    fixture.provider.drain().await;
    tokio::time::sleep(std::time::Duration::from_mins(10)).await;
    let exchanges = fixture
        .journal
        .lines()
        .iter()
        .filter(|line| line.starts_with("dbt "))
        .count();
    assert_eq!(
        usize::try_from(fixture.log.only_row().attempts()).unwrap(),
        exchanges,
        "{change:?}"
    );
    fixture
        .journal
        .lines()
        .iter()
        .filter(|line| *line == "dbt POST")
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_change_is_sent_once_for_every_status() {
    for status in (200..=599).filter(|status| StatusCode::from_u16(*status).is_ok()) {
        for change in CHANGES {
            assert_eq!(
                posts(change, move || Reply::status(status)).await,
                1,
                "{change:?} {status}"
            );
            let retry_now = move || Reply::status(status).retry_after(0);
            assert_eq!(
                posts(change, retry_now).await,
                1,
                "{change:?} {status} with Retry-After"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_sent_once_for_every_failure_without_an_answer() {
    type Failure = fn() -> ApiError;
    let failures: [Failure; 8] = [
        || ApiError::Connect("no route".into()),
        || ApiError::Disconnected {
            status: None,
            source: "reset".into(),
        },
        || ApiError::Disconnected {
            status: Some(StatusCode::OK),
            source: "reset".into(),
        },
        || ApiError::Timeout {
            status: None,
            source: "slow".into(),
        },
        || ApiError::Timeout {
            status: Some(StatusCode::OK),
            source: "slow".into(),
        },
        || ApiError::Decode {
            status: StatusCode::OK,
            source: "no JSON".into(),
        },
        || ApiError::TooLarge {
            status: StatusCode::OK,
            limit_bytes: 1,
        },
        || ApiError::Unsendable("line break".into()),
    ];
    for failure in failures {
        for change in CHANGES {
            let times = posts(change, move || Reply::Fails(failure())).await;
            assert_eq!(times, 1, "{change:?} {}", failure().name());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_sent_once_when_the_answer_is_unreadable_or_the_code_panics() {
    for change in CHANGES {
        assert_eq!(posts(change, || Reply::ok(&json!("no run"))).await, 1, "{change:?}");
        assert_eq!(posts(change, || Reply::Panics).await, 1, "{change:?}");
    }
}

fn not_processed() -> Reply {
    Reply::Fails(ApiError::NotProcessed("GOAWAY".into()))
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_not_processed_is_sent_again_once_on_a_fresh_connection() {
    for (failures, succeeds) in [(1, true), (9, false)] {
        let fixture = TestProvider::with(move |number, _| match number {
            number if number <= failures => not_processed(),
            _ => Reply::ok(&json!({"id": 1, "status": 1})),
        });
        let ctx = fixture.ctx(RequestType::TriggerJob);
        let answer = fixture
            .provider
            .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default())
            .await;
        assert_eq!(answer.is_ok(), succeeds, "{answer:?}");
        fixture.provider.drain().await;
        assert_eq!(reasons(&fixture.log.only_row()), ["asked", "not_processed"]);
        let fresh: Vec<bool> = fixture
            .dbt
            .requests()
            .iter()
            .map(dbt_api::ApiRequest::needs_fresh_connection)
            .collect();
        assert_eq!(fresh, [false, true]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_not_processed_and_then_lost_is_not_sent_a_third_time() {
    let fixture = TestProvider::with(|number, _| match number {
        1 => not_processed(),
        _ => Reply::Fails(ApiError::Disconnected {
            status: None,
            source: "reset".into(),
        }),
    });
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let error = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), model::StartOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ProviderError::TriggerUnresolved(_)), "{error:?}");
    let sent = fixture.dbt.requests();
    assert_eq!(
        sent.iter()
            .filter(|request| request.method() == http::Method::POST)
            .count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_not_processed_is_sent_again_and_then_retried() {
    let fixture = TestProvider::with(|_, _| not_processed());
    let ctx = fixture.ctx(RequestType::GetRun);
    fixture.provider.get_run(ctx, RunId(1), Vec::new()).await.unwrap_err();
    assert_eq!(
        reasons(&fixture.log.only_row()),
        ["asked", "not_processed", "retry", "retry"]
    );
}
