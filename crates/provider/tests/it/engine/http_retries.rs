//! Reads are retried after a transient failure, at most twice.

use std::time::Duration;

use http::StatusCode;
use model::{ProjectId, RequestType};
use provider::{ApiError, Outcome, ProviderError, ProviderSettings, RetrySettings};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Reply, TestProvider, exchanges, reasons, settings};

type Failure = fn() -> Reply;

/// Failures after which a read is retried.
const TRANSIENT: [Failure; 7] = [
    || {
        Reply::Fails(ApiError::Disconnected {
            status: Some(StatusCode::OK),
            source: "half of it".into(),
        })
    },
    || Reply::Fails(ApiError::Connect("no route".into())),
    || {
        Reply::Fails(ApiError::Disconnected {
            status: None,
            source: "reset".into(),
        })
    },
    || Reply::status(408),
    || Reply::status(502),
    || Reply::status(503),
    || Reply::status(504),
];

/// Failures that a retry cannot mend, and those that used up the deadline.
const PERMANENT: [Failure; 16] = [
    || Reply::status(302),
    || Reply::status(400),
    || Reply::status(401),
    || Reply::status(403),
    || Reply::status(404),
    || Reply::status(409),
    || Reply::status(422),
    || Reply::status(429),
    || Reply::status(429).retry_after(0),
    || Reply::status(500),
    || Reply::status(501),
    || Reply::status(505),
    || {
        Reply::Fails(ApiError::Timeout {
            status: None,
            source: "read timeout".into(),
        })
    },
    || {
        Reply::Fails(ApiError::Decode {
            status: StatusCode::OK,
            source: "no JSON".into(),
        })
    },
    || {
        Reply::Fails(ApiError::TooLarge {
            status: StatusCode::OK,
            limit_bytes: 1,
        })
    },
    || Reply::Fails(ApiError::Unsendable("line break".into())),
];

async fn get(fixture: &TestProvider) -> Result<model::Project, ProviderError> {
    let ctx = fixture.ctx(RequestType::GetProject);
    fixture.provider.get_project(ctx, ProjectId(7)).await
}

#[tokio::test(start_paused = true)]
async fn a_read_is_retried_twice_after_each_transient_failure_and_then_fails() {
    for (case, failure) in TRANSIENT.into_iter().enumerate() {
        let fixture = TestProvider::with(move |_, _| failure());

        let answer = get(&fixture).await;

        assert!(matches!(answer, Err(ProviderError::Api(_))), "{case}: {answer:?}");
        assert_eq!(fixture.dbt.count(), 3, "{case}");
        let row = fixture.log.only_row();
        assert_eq!(row.attempts(), 3, "{case}");
        assert_eq!(reasons(&row), ["asked", "retry", "retry"], "{case}");
        assert_eq!(
            fixture.journal.lines().len(),
            4,
            "{case}: three exchanges, one row: {:?}",
            fixture.journal.lines()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_succeeds_on_a_retry_is_a_success_and_its_row_lists_the_failures() {
    for success_at in [2, 3] {
        let fixture = TestProvider::with(move |number, _| {
            if number == success_at {
                Reply::ok(&json!({"id": 7}))
            } else {
                Reply::status(503)
            }
        });

        assert!(get(&fixture).await.is_ok());

        let row = fixture.log.only_row();
        let closing = row.closing().unwrap();
        assert_eq!(row.outcome(), Some(Outcome::Succeeded));
        assert_eq!((closing.status_code, closing.error()), (Some(200), None));
        assert_eq!(usize::try_from(row.attempts()).unwrap(), success_at);
        let logged = exchanges(&row);
        assert_eq!(
            (&logged[0]["status"], &logged[0]["error"]),
            (&json!(503), &json!("unexpected_status"))
        );
        assert_eq!(
            (&logged[success_at - 1]["status"], logged[success_at - 1].get("error")),
            (&json!(200), None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_not_retried_after_a_permanent_failure() {
    for (case, failure) in PERMANENT.into_iter().enumerate() {
        let fixture = TestProvider::with(move |_, _| failure());

        let answer = get(&fixture).await;

        assert!(matches!(answer, Err(ProviderError::Api(_))), "{case}: {answer:?}");
        assert_eq!(fixture.dbt.count(), 1, "{case}");
        assert_eq!(reasons(&fixture.log.only_row()), ["asked"], "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_can_be_turned_off() {
    let none = ProviderSettings {
        retry: RetrySettings {
            max_retries: 0,
            ..settings().retry
        },
        ..settings()
    };
    let fixture = TestProvider::with_settings(none, 64, |_, _| Reply::status(503));
    assert!(get(&fixture).await.is_err());
    assert_eq!(fixture.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_retry_after() {
    let fixture = TestProvider::with(|number, _| match number {
        1 => Reply::status(503).retry_after(10),
        _ => Reply::ok(&json!({"id": 7})),
    });
    let started = Instant::now();
    assert!(get(&fixture).await.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_above_max_pause_is_not_waited_for() {
    let fixture = TestProvider::with(|_, _| Reply::status(503).retry_after(11));
    let started = Instant::now();

    let answer = get(&fixture).await;

    let Err(ProviderError::Api(error)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        error.retry_after(),
        Some(Duration::from_secs(11)),
        "the caller gets the value"
    );
    assert_eq!(fixture.dbt.count(), 1);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}
