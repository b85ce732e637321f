//! The bodies of requests: read whole, within limits of size and time, before the request takes a place among those under
//! way. Only a caller with a valid key has its body read: at most `max_body_bytes` for each connection.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header;
use axum::http::request::Parts;
use futures::TryStreamExt as _;
use tokio::time::timeout;

use crate::extract::Dbt;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// Whether a body belongs to the request.
pub(crate) fn is_expected(request: &Request) -> bool {
    !request.body().is_end_stream()
}

/// The request with its whole body, if the caller has a valid key. Without one no handler reads the body.
pub(crate) async fn received(request: Request, state: &Shared) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    if !Dbt::authenticate_early(&mut parts, state).await {
        return Ok(Request::from_parts(parts, body));
    }
    check_encoding(&parts)?;
    let limit = state.settings.body_timeout;
    let body = timeout(limit, read(body, state.settings.max_body_bytes))
        .await
        .map_err(|_| too_slow(&format!("took longer than server.body_timeout_secs ({limit:?})")))??;
    Dbt::authenticate_again(&mut parts, state).await;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Nothing here decodes a body, and what is sent on must be understood: the effect of a GraphQL document decides whether
/// the caller may send it.
fn check_encoding(parts: &Parts) -> Result<(), Problem> {
    let mut encodings = parts.headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let detail = "Send the body as it is, without `Content-Encoding`. dbt Cloud was not contacted.";
    Err(Problem::new(Kind::MEDIA_TYPE, detail))
}

async fn read(body: Body, max_bytes: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TOO_LARGE, "The body is larger than server.max_body_bytes.");
    if body.size_hint().lower() > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut pieces = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(piece) = pieces.try_next().await.map_err(|error| broken(&error))? {
        if whole.len() + piece.len() > max_bytes {
            return Err(too_large());
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

/// The problem of a body that did not arrive whole.
fn broken(error: &axum::Error) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let timed_out = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        if error.downcast_ref::<io::Error>().is_some_and(timed_out) {
            return too_slow("was sent more slowly than server.min_bytes_per_sec");
        }
        cause = error.source();
    }
    Problem::new(Kind::INVALID_REQUEST, "The body could not be read to its end.")
}

fn too_slow(how: &str) -> Problem {
    let detail = format!("The body {how}. dbt Cloud was not contacted.");
    Problem::new(Kind::BODY_TOO_SLOW, detail).retry_after(Some(Duration::from_secs(1)))
}
