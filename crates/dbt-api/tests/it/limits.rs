//! The deadline and the limits for error bodies, with tokio's paused clock.

use std::time::Duration;

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiError};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use model::RunId;
use tokio::time::Instant;

use crate::support::{Fake, upstream};

fn never_ending(status: StatusCode, beginning: &'static str) -> ApiAnswer {
    let first = stream::iter([Ok(Bytes::from_static(beginning.as_bytes()))]);
    ApiAnswer::new(status, HeaderMap::new(), first.chain(stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn an_api_without_limits_has_the_default_deadline() {
    let started = Instant::now();
    let error = Fake::silent()
        .get_run(&upstream("https://dbt.test"), RunId(1), &[])
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Timeout { status: None, .. }), "{error:?}");
    assert_eq!(started.elapsed(), Duration::from_secs(150));
}

#[tokio::test(start_paused = true)]
async fn a_2xx_body_that_never_ends_is_a_timeout_at_the_deadline() {
    let api = Fake::answering(never_ending(StatusCode::OK, "{\"data\":"));
    let started = Instant::now();
    let error = api
        .get_run(&upstream("https://dbt.test"), RunId(1), &[])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ApiError::Timeout {
                status: Some(StatusCode::OK),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(started.elapsed(), Duration::from_secs(150));
}

#[tokio::test(start_paused = true)]
async fn an_error_body_that_never_ends_is_cut_off() {
    let api = Fake::answering(never_ending(StatusCode::NOT_FOUND, "nothing here"));
    let started = Instant::now();
    let error = api
        .get_run(&upstream("https://dbt.test"), RunId(1), &[])
        .await
        .unwrap_err();
    let ApiError::NotFound { message } = error else {
        panic!("{error:?}")
    };
    assert_eq!(message, "nothing here");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_huge_error_body_is_read_only_up_to_its_limit() {
    let pieces = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 1000])));
    // Panics if more is read than 256 KiB and the chunk that exceeds it.
    let bounded = pieces.enumerate().map(|(taken, piece)| {
        assert!(taken < 264, "read on after 256 KiB");
        piece
    });
    let api = Fake::answering(ApiAnswer::new(StatusCode::BAD_GATEWAY, HeaderMap::new(), bounded));
    let error = api
        .get_run(&upstream("https://dbt.test"), RunId(1), &[])
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::BAD_GATEWAY));
}
