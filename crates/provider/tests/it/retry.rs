//! Reads are sent again after a passing failure, at most twice; nothing else is.

use std::time::Duration;

use http::StatusCode;
use model::{ProjectId, RequestType};
use provider::{ApiError, Outcome, ProviderError, ProviderSettings, RetrySettings};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Bench, Reply, exchanges, settings, whys};

type Failure = fn() -> Reply;

/// Every failure after which a read may be sent again.
const PASSING: [Failure; 6] = [
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

/// Every kind of failure that would be the same again, or that has used up the patience.
const LASTING: [Failure; 17] = [
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
        Reply::Fails(ApiError::Disconnected {
            status: Some(StatusCode::OK),
            source: "half of it".into(),
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

async fn get(bench: &Bench) -> Result<model::Project, ProviderError> {
    let ctx = bench.ctx(RequestType::GetProject);
    bench.provider.get_project(ctx, ProjectId(7)).await
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_twice_after_each_passing_failure_and_then_given_up() {
    for (case, failure) in PASSING.into_iter().enumerate() {
        let bench = Bench::with(move |_, _| failure());

        let answer = get(&bench).await;

        assert!(matches!(answer, Err(ProviderError::Api(_))), "{case}: {answer:?}");
        assert_eq!(bench.dbt.count(), 3, "{case}");
        let row = bench.log.only_row();
        assert_eq!(row.attempts(), 3, "{case}");
        assert_eq!(whys(&row), ["asked", "retry", "retry"], "{case}");
        assert_eq!(
            bench.journal.lines().len(),
            4,
            "{case}: three exchanges, one row: {:?}",
            bench.journal.lines()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_succeeds_when_sent_again_is_a_success_with_its_failures_on_record() {
    for success_at in [2, 3] {
        let bench = Bench::with(move |number, _| {
            if number == success_at {
                Reply::ok(&json!({"id": 7}))
            } else {
                Reply::status(503)
            }
        });

        assert!(get(&bench).await.is_ok());

        let row = bench.log.only_row();
        let closing = row.closing().unwrap();
        assert_eq!(row.outcome(), Some(Outcome::Succeeded));
        assert_eq!((closing.status_code, closing.error()), (Some(200), None));
        assert_eq!(usize::try_from(row.attempts()).unwrap(), success_at);
        let told = exchanges(&row);
        assert_eq!(
            (&told[0]["status"], &told[0]["error"]),
            (&json!(503), &json!("unexpected_status"))
        );
        assert_eq!(
            (&told[success_at - 1]["status"], told[success_at - 1].get("error")),
            (&json!(200), None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_once_where_the_failure_would_last() {
    for (case, failure) in LASTING.into_iter().enumerate() {
        let bench = Bench::with(move |_, _| failure());

        let answer = get(&bench).await;

        assert!(matches!(answer, Err(ProviderError::Api(_))), "{case}: {answer:?}");
        assert_eq!(bench.dbt.count(), 1, "{case}");
        assert_eq!(whys(&bench.log.only_row()), ["asked"], "{case}");
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
    let bench = Bench::with_settings(none, 64, |_, _| Reply::status(503));
    assert!(get(&bench).await.is_err());
    assert_eq!(bench.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_as_long_as_dbt_asks() {
    let bench = Bench::with(|number, _| match number {
        1 => Reply::status(503).retry_after(10),
        _ => Reply::ok(&json!({"id": 7})),
    });
    let begun = Instant::now();
    assert!(get(&bench).await.is_ok());
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_beyond_the_longest_pause_is_not_waited_for() {
    let bench = Bench::with(|_, _| Reply::status(503).retry_after(11));
    let begun = Instant::now();

    let answer = get(&bench).await;

    let Err(ProviderError::Api(error)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        error.retry_after(),
        Some(Duration::from_secs(11)),
        "the caller hears it"
    );
    assert_eq!(bench.dbt.count(), 1);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}
