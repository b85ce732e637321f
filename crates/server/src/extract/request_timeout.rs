//! The header `Request-Timeout`.

use std::time::Duration;

use axum::http::HeaderMap;

use crate::headers::{MAX_TIMEOUT_SECONDS, REQUEST_TIMEOUT};
use crate::problem::{Kind, Problem};

/// How long the caller waits, if it says so.
///
/// # Errors
/// The header is sent twice, or is not a whole number from 1 to 600.
pub(crate) fn request_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let mut values = headers.get_all(REQUEST_TIMEOUT).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    match seconds.filter(|seconds| (1..=MAX_TIMEOUT_SECONDS).contains(seconds)) {
        Some(seconds) if values.next().is_none() => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(Problem::new(
            Kind::INVALID_REQUEST,
            format!("The header Request-Timeout must be one whole number of seconds, from 1 to {MAX_TIMEOUT_SECONDS}."),
        )),
    }
}
