//! Sends a request, and sends it again where that is allowed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, beginning_of_error};
use futures::stream::{self, StreamExt as _};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use model::Upstream;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;

use super::record::Recorded;
use super::request_api::{Asked, RequestApi};
use crate::engine::beginning::{Beginning, read_beginning};
use crate::exchanges::Why;
use crate::reads::CredentialKey;
use crate::upstream_health::Verdict;

/// An answer of dbt Cloud.
pub(super) enum Arrived {
    /// With its whole body.
    Whole(StatusCode, HeaderMap, Bytes),
    /// With a body that is longer than what is read before it is passed on, or that is not read here.
    Open(ApiAnswer),
}

impl Arrived {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Whole(status, ..) => *status,
            Self::Open(answer) => answer.status,
        }
    }

    pub(super) fn into_answer(self) -> ApiAnswer {
        match self {
            Self::Whole(status, headers, body) => {
                let pieces = (!body.is_empty()).then_some(Ok(body));
                ApiAnswer::new(status, headers, stream::iter(pieces))
            }
            Self::Open(answer) => answer,
        }
    }
}

/// The exchanges of one operation.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) request: Arc<RequestApi>,
    pub(super) to: Arc<Upstream>,
    pub(super) asked: Asked,
    /// If it is more than what is read anyway: how long an answer is read in whole where its head says how long it is, since
    /// others may want it too.
    pub(super) shared_bytes: usize,
    /// The hash of the credential, made when it is first needed.
    credential: OnceLock<CredentialKey>,
}

impl Attempts {
    pub(super) fn new(request: Arc<RequestApi>, to: Arc<Upstream>, asked: Asked) -> Self {
        Self {
            request,
            to,
            asked,
            shared_bytes: 0,
            credential: OnceLock::new(),
        }
    }

    /// The credential, for shared reads and its circuit.
    pub(super) fn credential(&self) -> CredentialKey {
        let new = || CredentialKey::new(self.request.company, &self.to);
        *self.credential.get_or_init(new)
    }

    /// Sends a change once, and once more if the protocol guarantees that it was not processed; a read again after a
    /// transient failure, as long as few of the host's requests are retries. Each time is an exchange of its own in the row;
    /// the last one's record is returned while its answer is not read.
    pub(super) async fn send(self, request: ApiRequest) -> (Result<Arrived, ApiError>, Option<Recorded>) {
        let of = &self.request;
        let deadline = Instant::now() + of.api.limits().deadline;
        let circuit = of.health.has_circuits().then(|| {
            of.health
                .circuit(self.credential(), of.company, &self.to, request.api())
        });
        let budget = of.health.retries(&self.to, request.api());
        budget.add();
        let (mut why, mut resends, mut pauses, mut was_not_processed) = (self.asked.why, 0, None, false);
        loop {
            let permit = match circuit.as_ref().map(|circuit| circuit.breaker.admit()).transpose() {
                Ok(permit) => permit,
                Err(retry_after) => return (Err(ApiError::CircuitOpen { retry_after }), None),
            };
            let mut recorded = Recorded::begin(of, self.asked, why, resends);
            let span = recorded.span();
            let result = self
                .exchange(&request, why, deadline, &mut recorded)
                .instrument(span)
                .await;
            if let Some(permit) = permit {
                permit.record(verdict(&result));
            }
            let pause = if !was_not_processed && matches!(result, Err(ApiError::NotProcessed(_))) {
                was_not_processed = true;
                why = Why::NotProcessed;
                Duration::ZERO
            } else if self.asked.repeatable.is_some()
                && let Some(least) = retry_after(&result)
                && least <= of.retry.max_pause
                && let Some(pause) = pauses.get_or_insert_with(|| of.retry.pauses()).next()
                && budget.take()
            {
                why = Why::Retry;
                pause.max(least)
            } else {
                return (result, Some(recorded));
            };
            end(recorded, &result, request.is_verbatim());
            resends += 1;
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }

    /// One exchange. Of a read the beginning of the answer is read too.
    async fn exchange(
        &self,
        request: &ApiRequest,
        why: Why,
        deadline: Instant,
        recorded: &mut Recorded,
    ) -> Result<Arrived, ApiError> {
        let api = self.request.api_for(why);
        let send = api.send(&self.to, request.clone());
        let Some(max_bytes) = self.asked.repeatable else {
            let answer = send.await?;
            recorded.answered(answer.status);
            return Ok(Arrived::Open(answer));
        };
        let limit = api.limits().deadline;
        let answer = timeout_at(deadline, send)
            .await
            .unwrap_or_else(|_| Err(ApiError::deadline_passed(None, limit)))?;
        let status = answer.status;
        recorded.answered(status);
        let max_bytes = match length(&answer) {
            Some(length) if length > max_bytes.max(self.shared_bytes) as u64 => 0,
            Some(_) => max_bytes.max(self.shared_bytes),
            None => max_bytes,
        };
        if answer.is_transient() && request.is_verbatim() {
            return Ok(Arrived::Open(answer));
        }
        if !status.is_success() && !request.is_verbatim() {
            let headers = answer.headers.clone();
            let body = beginning_of_error(answer.into_body()).await;
            return Ok(Arrived::Whole(status, headers, body.into()));
        }
        timeout_at(deadline, self.with_beginning(answer, max_bytes))
            .await
            .unwrap_or_else(|_| Err(ApiError::deadline_passed(Some(status), limit)))
    }

    /// The answer with the beginning of its body read. The memory for it is counted again by the one who collects it.
    async fn with_beginning(&self, answer: ApiAnswer, max_bytes: usize) -> Result<Arrived, ApiError> {
        let shares = &self.request.shares;
        let (status, headers) = (answer.status, answer.headers.clone());
        let kept = AtomicU64::new(0);
        let beginning = read_beginning(answer.into_body(), max_bytes, |bytes| {
            shares.keep_bytes(bytes)?;
            kept.fetch_add(bytes as u64, Ordering::Relaxed);
            Ok(())
        });
        let beginning = beginning.await;
        shares.free_bytes(kept.into_inner());
        let beginning = beginning.map_err(|error| match error {
            ApiError::ShareExhausted { source, .. } => ApiError::ShareExhausted {
                status: Some(status),
                source,
            },
            error => error,
        })?;
        Ok(match beginning {
            Beginning::Whole(body) => Arrived::Whole(status, headers, body),
            Beginning::Longer(pieces, rest) => {
                let body = stream::iter(pieces).map(Ok).chain(rest);
                Arrived::Open(ApiAnswer::new(status, headers, body))
            }
        })
    }
}

/// The length of the body, in bytes, if the head says so.
fn length(answer: &ApiAnswer) -> Option<u64> {
    answer.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The least pause before a read is sent again; `None` if it is not.
fn retry_after(result: &Result<Arrived, ApiError>) -> Option<Duration> {
    let of_answer = |answer: &ApiAnswer| (answer.is_transient(), answer.retry_after());
    let (is_transient, least) = match result {
        Ok(Arrived::Open(answer)) => of_answer(answer),
        Ok(Arrived::Whole(status, headers, _)) => of_answer(&ApiAnswer::new(*status, headers.clone(), stream::empty())),
        Err(error) => (error.is_transient(), error.retry_after()),
    };
    is_transient.then(|| least.unwrap_or_default())
}

fn verdict(result: &Result<Arrived, ApiError>) -> Verdict {
    match result {
        Ok(arrived) if arrived.status().is_server_error() => Verdict::Fails,
        Ok(_) => Verdict::Works,
        Err(ApiError::Connect(_) | ApiError::Timeout { .. } | ApiError::Disconnected { .. }) => Verdict::Fails,
        Err(_) => Verdict::Unknown,
    }
}

/// Records an exchange after which the request is sent again.
fn end(recorded: Recorded, result: &Result<Arrived, ApiError>, is_passed_on: bool) {
    match result {
        Ok(arrived) if is_passed_on => recorded.end(Some(arrived.status()), None),
        Ok(arrived) => {
            let status = arrived.status();
            let error = ApiError::UnexpectedStatus {
                status,
                message: String::new(),
                retry_after: None,
            };
            recorded.end(Some(status), Some(&error));
        }
        Err(error) => recorded.end(error.status(), Some(error)),
    }
}
