//! Collects an answer whole, within its limits, for the typed methods. Knows nothing of what is in it.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{HeaderMap, StatusCode};
use model::Upstream;
use secrecy::ExposeSecret as _;
use tokio::time::Sleep;

use crate::{ApiAnswer, ApiBody, ApiError, ApiRequest, WrappedApi};

/// The text of an error is worth no more than this many bytes of memory …
const ERROR_BODY_MAX_BYTES: usize = 64 << 10;
/// … and no longer a wait than this: its status says the important part.
const ERROR_BODY_PATIENCE: Duration = Duration::from_secs(5);

/// An answer with its body, whatever the status.
pub(crate) struct Collected {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Whole for a 2xx; for any other status as much as came in a bounded time, up to a bounded length.
    pub(crate) body: Bytes,
}

/// One exchange, from sending to the last byte.
pub(crate) async fn exchange(api: &dyn WrappedApi, to: &Upstream, request: ApiRequest) -> Result<Collected, ApiError> {
    let limits = api.limits();
    let mut deadline = Deadline::starting_now(limits.deadline);
    let answer = deadline.bounds(None, api.send(to, request)).await??;
    if !answer.status.is_success() {
        return Ok(error(answer, to).await);
    }
    let (status, headers) = (answer.status, answer.headers.clone());
    let body = deadline
        .bounds(Some(status), whole_body(answer, limits.max_body_bytes))
        .await??;
    Ok(Collected { status, headers, body })
}

/// The beginning of an answer that is an error.
pub(crate) async fn error(answer: ApiAnswer, to: &Upstream) -> Collected {
    let (status, headers) = (answer.status, answer.headers.clone());
    let body = without(beginning_of_error(answer.into_body()).await, to.token.expose_secret());
    Collected {
        status,
        headers,
        body: body.into(),
    }
}

/// Proxies and firewalls before dbt Cloud like to show the request that they refuse, token and all; its words are passed
/// on, logged and kept in rows.
fn without(body: Vec<u8>, token: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(&body);
    if token.is_empty() || !text.contains(token) {
        return body;
    }
    text.replace(token, "[token]").into_bytes()
}

async fn whole_body(answer: ApiAnswer, limit_bytes: usize) -> Result<Bytes, ApiError> {
    let status = answer.status;
    let mut chunks = answer.into_body();
    let mut pieces = Vec::new();
    let mut room = limit_bytes;
    while let Some(piece) = chunks.try_next().await? {
        room = room
            .checked_sub(piece.len())
            .ok_or(ApiError::TooLarge { status, limit_bytes })?;
        pieces.push(piece);
    }
    Ok(joined(pieces))
}

/// The pieces of a body, one after the other. Most bodies are one piece, which is not copied.
pub fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.swap_remove(0),
        _ => pieces.concat().into(),
    }
}

/// A body that breaks off, stalls or is huge does not hide the status that came before it.
async fn beginning_of_error(mut chunks: ApiBody) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = chunks.try_next().await {
            let room = ERROR_BODY_MAX_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == ERROR_BODY_MAX_BYTES {
                break;
            }
        }
    };
    // Out of patience, what has come so far is the text.
    let _ = tokio::time::timeout(ERROR_BODY_PATIENCE, read).await;
    body
}

/// One limit for several waits. (`tokio::time::timeout` around all of them would forget the status that had come.)
struct Deadline {
    passed: Pin<Box<Sleep>>,
    limit: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("the answer was not whole within {0:?}")]
struct DeadlinePassed(Duration);

impl Deadline {
    fn starting_now(limit: Duration) -> Self {
        let passed = Box::pin(tokio::time::sleep(limit));
        Self { passed, limit }
    }

    async fn bounds<T>(&mut self, status: Option<StatusCode>, work: impl Future<Output = T>) -> Result<T, ApiError> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.passed.as_mut() => Err(ApiError::Timeout { status, source: DeadlinePassed(self.limit).into() }),
        }
    }
}
