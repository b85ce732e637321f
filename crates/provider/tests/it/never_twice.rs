//! No second trigger: a POST is sent exactly once, whatever becomes of it.

use http::StatusCode;
use model::{JobId, RequestType};
use provider::ApiError;
use serde_json::json;

use crate::support::{Bench, Reply, order};

async fn sent(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (usize, i32) {
    let bench = Bench::with(move |_, _| reply());
    let ctx = bench.ctx(RequestType::TriggerJob);
    // What comes of it is not the point here: how often it was sent is.
    drop(bench.provider.trigger_job(ctx, JobId(1), order()).await);
    bench.provider.drain().await;
    tokio::time::sleep(std::time::Duration::from_mins(10)).await;
    (bench.dbt.count(), bench.log.only_row().attempts())
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_sent_once_for_every_status() {
    for status in (200..=599).filter(|status| StatusCode::from_u16(*status).is_ok()) {
        assert_eq!(sent(move || Reply::status(status)).await, (1, 1), "{status}");
        assert_eq!(
            sent(move || Reply::status(status).retry_after(0)).await,
            (1, 1),
            "{status} with Retry-After"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_sent_once_for_every_failure_without_an_answer() {
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
        assert_eq!(
            sent(move || Reply::Fails(failure())).await,
            (1, 1),
            "{}",
            failure().name()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_sent_once_when_the_answer_is_unreadable_or_the_code_panics() {
    assert_eq!(sent(|| Reply::ok(&json!("no run"))).await, (1, 1));
    assert_eq!(sent(|| Reply::Panics).await, (1, 1));
}
