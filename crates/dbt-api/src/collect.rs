//! Reads a whole answer into memory, within limits, for the typed methods.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{HeaderMap, StatusCode};
use model::Upstream;
use secrecy::ExposeSecret as _;
use tokio::time::Sleep;

use crate::{ApiAnswer, ApiBody, ApiError, ApiRequest, WrappedApi};

/// How much of the body of an error status is read; GraphQL errors are long.
const ERROR_BODY_MAX_BYTES: usize = 256 << 10;
/// The step in which the bytes of an answer are counted.
const STEP_BYTES: usize = 16 << 10;
/// How long the body of an error status is read.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer with its body, whatever the status.
pub(crate) struct Collected {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Complete for a 2xx; for any other status what arrived within the limits.
    pub(crate) body: Bytes,
}

/// One exchange, from sending the request to the last byte of the answer.
pub(crate) async fn exchange(api: &dyn WrappedApi, to: &Upstream, request: ApiRequest) -> Result<Collected, ApiError> {
    let limits = api.limits();
    let mut deadline = Deadline::starting_now(limits.deadline);
    let answer = deadline.bounds(None, api.send(to, request)).await??;
    if !answer.status.is_success() {
        return Ok(error(answer, to).await);
    }
    let (status, headers) = (answer.status, answer.headers.clone());
    let body = deadline
        .bounds(Some(status), whole_body(api, answer, limits.max_body_bytes))
        .await??;
    Ok(Collected { status, headers, body })
}

/// Reads an answer with an error status.
pub(crate) async fn error(answer: ApiAnswer, to: &Upstream) -> Collected {
    let (status, headers) = (answer.status, answer.headers.clone());
    let body = without(beginning_of_error(answer.into_body()).await, to.token.expose_secret());
    Collected {
        status,
        headers,
        body: body.into(),
    }
}

/// The answer with the token replaced in its body, for an error in an answer with a 2xx.
pub(crate) fn masked(answer: &Collected, to: &Upstream) -> Collected {
    Collected {
        status: answer.status,
        headers: answer.headers.clone(),
        body: without(answer.body.to_vec(), to.token.expose_secret()).into(),
    }
}

/// Replaces the token: proxies and firewalls may show the request that they refuse, and the text of the body is logged and
/// passed on to callers.
fn without(body: Vec<u8>, token: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(&body);
    if token.is_empty() || !text.contains(token) {
        return body;
    }
    text.replace(token, "[token]").into_bytes()
}

async fn whole_body(api: &dyn WrappedApi, answer: ApiAnswer, limit_bytes: usize) -> Result<Bytes, ApiError> {
    let status = answer.status;
    let mut memory = Memory::of(api, &answer);
    let mut chunks = answer.into_body();
    let mut pieces = Vec::new();
    let mut room = limit_bytes;
    while let Some(piece) = chunks.try_next().await? {
        room = room
            .checked_sub(piece.len())
            .ok_or(ApiError::TooLarge { status, limit_bytes })?;
        memory.keep(piece.len())?;
        pieces.push(piece);
    }
    Ok(joined(pieces))
}

/// Counts the bytes of one answer that are kept in memory.
struct Memory<'a> {
    api: &'a dyn WrappedApi,
    status: StatusCode,
    /// What was counted and is not kept yet.
    ahead: usize,
}

impl<'a> Memory<'a> {
    /// Nothing is kept yet.
    fn of(api: &'a dyn WrappedApi, answer: &ApiAnswer) -> Self {
        Self {
            api,
            status: answer.status,
            ahead: 0,
        }
    }

    /// Counts a piece.
    ///
    /// # Errors
    /// [`ApiError::ShareExhausted`].
    fn keep(&mut self, bytes: usize) -> Result<(), ApiError> {
        if let Some(ahead) = self.ahead.checked_sub(bytes) {
            self.ahead = ahead;
            return Ok(());
        }
        // Counted in steps, since a body arrives in many small pieces.
        let more = (bytes - self.ahead).max(STEP_BYTES);
        self.api.keep_bytes(more).map_err(|source| ApiError::ShareExhausted {
            status: Some(self.status),
            source,
        })?;
        self.ahead = self.ahead + more - bytes;
        Ok(())
    }
}

/// Concatenates the chunks of a body. A single chunk, the usual case, is not copied.
pub fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.swap_remove(0),
        _ => pieces.concat().into(),
    }
}

/// Reads the body of an error status, up to limits, and ignores errors, so that the status is reported whatever the body.
pub async fn beginning_of_error(mut chunks: ApiBody) -> Vec<u8> {
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
    // After the timeout `body` has what arrived until then.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
    body
}

/// One time limit for several waits. (`tokio::time::timeout` around all of them would lose the status.)
struct Deadline {
    passed: Pin<Box<Sleep>>,
    limit: Duration,
}

impl Deadline {
    fn starting_now(limit: Duration) -> Self {
        let passed = Box::pin(tokio::time::sleep(limit));
        Self { passed, limit }
    }

    async fn bounds<T>(&mut self, status: Option<StatusCode>, work: impl Future<Output = T>) -> Result<T, ApiError> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.passed.as_mut() => Err(ApiError::deadline_passed(status, self.limit)),
        }
    }
}
