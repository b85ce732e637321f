//! No second trigger: a POST is sent exactly once, whatever becomes of it.

use http::{Method, StatusCode};
use model::{JobId, RequestType, RunId};
use provider::ApiError;
use serde_json::json;

use crate::support::{Bench, Reply, order};

/// Every change of runs.
#[derive(Debug, Clone, Copy)]
enum Change {
    Trigger,
    Cancel,
    Retry,
    Rerun,
}

const CHANGES: [Change; 4] = [Change::Trigger, Change::Cancel, Change::Retry, Change::Rerun];

/// How often the POST was sent, when that is what becomes of it. What may be read before and after is answered well.
async fn sent(change: Change, reply: impl Fn() -> Reply + Send + Sync + 'static) -> usize {
    let bench = Bench::with(move |_, request| match *request.method() {
        Method::POST => reply(),
        _ => Reply::ok(&json!({"id": 1, "status": 3, "can_retry": true})),
    });
    // What comes of it is not the point here: how often it was sent is.
    match change {
        Change::Trigger => drop(
            bench
                .provider
                .trigger_job(bench.ctx(RequestType::TriggerJob), JobId(1), order())
                .await,
        ),
        Change::Cancel => drop(
            bench
                .provider
                .cancel_run(bench.ctx(RequestType::CancelRun), RunId(1))
                .await,
        ),
        Change::Retry => drop(
            bench
                .provider
                .retry_run(bench.ctx(RequestType::RetryRun), RunId(1))
                .await,
        ),
        Change::Rerun => drop(
            bench
                .provider
                .rerun_job(bench.ctx(RequestType::RerunJob), JobId(1))
                .await,
        ),
    }
    bench.provider.drain().await;
    tokio::time::sleep(std::time::Duration::from_mins(10)).await;
    let exchanges = bench
        .journal
        .lines()
        .iter()
        .filter(|line| line.starts_with("dbt "))
        .count();
    assert_eq!(
        usize::try_from(bench.log.only_row().attempts()).unwrap(),
        exchanges,
        "{change:?}"
    );
    bench.journal.lines().iter().filter(|line| *line == "dbt POST").count()
}

#[tokio::test(start_paused = true)]
async fn a_change_is_sent_once_for_every_status() {
    for status in (200..=599).filter(|status| StatusCode::from_u16(*status).is_ok()) {
        for change in CHANGES {
            assert_eq!(
                sent(change, move || Reply::status(status)).await,
                1,
                "{change:?} {status}"
            );
            let again_at_once = move || Reply::status(status).retry_after(0);
            assert_eq!(
                sent(change, again_at_once).await,
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
            let times = sent(change, move || Reply::Fails(failure())).await;
            assert_eq!(times, 1, "{change:?} {}", failure().name());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_sent_once_when_the_answer_is_unreadable_or_the_code_panics() {
    for change in CHANGES {
        assert_eq!(sent(change, || Reply::ok(&json!("no run"))).await, 1, "{change:?}");
        assert_eq!(sent(change, || Reply::Panics).await, 1, "{change:?}");
    }
}
