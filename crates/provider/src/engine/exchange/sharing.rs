//! Reads that are answered by the exchange of another request, or by a kept answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use dbt_api::{ApiAnswer, ApiError, ApiRequest};
use futures::FutureExt as _;
use http::StatusCode;
use model::ServedFrom;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::attempts::{Arrived, Attempts};
use super::exchange_api::ExchangeApi;
use super::record::Recorded;
use crate::reads::{Joined, Landing, ReadKey, WholeAnswer};

type Sent = (Result<Arrived, ApiError>, Option<Recorded>);
type Panic = Box<dyn Any + Send>;

impl ExchangeApi {
    /// Answers a read from the kept answers or from an identical read in flight, else asks dbt Cloud.
    pub(super) async fn shared(&self, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let Attempts { request: of, to, .. } = &self.attempts;
        let key = of.reads.key(&self.attempts.credential(), to, &request);
        if !of.wants_new
            && let Some(kept) = of.reads.fresh(&key)
        {
            return Ok(self.served(&kept, ServedFrom::Cache));
        }
        let answer = match of.reads.join(key, of.request_uuid) {
            // Its exchange may have begun before the caller asked for a new answer.
            Joined::Other(..) if of.wants_new => self.fetched(request, key, None).await,
            Joined::First(landing) => self.fetched(request, key, Some(landing)).await,
            Joined::Other(flight, source) => match flight.landed().await {
                Some(Ok(answer)) => Ok(self.served(&answer, ServedFrom::Coalesced)),
                Some(Err(error)) => {
                    of.metrics
                        .count_shared(self.attempts.asked.operation, ServedFrom::Coalesced);
                    of.exchanges.served(source, error.status());
                    Err(error)
                }
                None => self.alone(request).await,
            },
        };
        if does_not_answer(&answer)
            && let Some(kept) = of.reads.stale(&key)
        {
            self.keep_record(None);
            return Ok(self.served(&kept, ServedFrom::Stale));
        }
        answer
    }

    /// Asks dbt Cloud in a task that no caller owns, so that those who joined get the answer though the first has gone.
    async fn fetched(
        &self,
        request: ApiRequest,
        key: ReadKey,
        landing: Option<Landing>,
    ) -> Result<ApiAnswer, ApiError> {
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(fetch(self.attempts.clone(), request, key, landing, sender).in_current_span());
        match receiver.await {
            Ok(Ok((arrived, recorded))) => {
                self.keep_record(recorded);
                Ok(arrived?.into_answer())
            }
            Ok(Err(panic)) => resume_unwind(panic),
            // The runtime is stopping.
            Err(ended) => Err(ApiError::Disconnected {
                status: None,
                source: ended.into(),
            }),
        }
    }

    fn served(&self, answer: &WholeAnswer, from: ServedFrom) -> ApiAnswer {
        let of = &self.attempts.request;
        of.metrics.count_shared(self.attempts.asked.operation, from);
        of.exchanges.served(answer.source(from), Some(answer.status));
        answer.answer()
    }
}

/// Asks dbt Cloud. Stops when the first caller has gone and nobody has joined.
async fn fetch(
    mut attempts: Attempts,
    request: ApiRequest,
    key: ReadKey,
    mut landing: Option<Landing>,
    mut sender: oneshot::Sender<Result<Sent, Panic>>,
) {
    let of = Arc::clone(&attempts.request);
    let (to, operation, path) = (
        Arc::clone(&attempts.to),
        attempts.asked.operation,
        request.path().to_owned(),
    );
    attempts.shared_bytes = of.reads.max_body_bytes();
    let sent = AssertUnwindSafe(attempts.send(request)).catch_unwind();
    let mut sent = Box::pin(sent);
    let sent = tokio::select! {
        sent = sent.as_mut() => sent,
        () = sender.closed() => {
            if landing.as_mut().is_none_or(Landing::end_if_alone) {
                return;
            }
            sent.await
        }
    };
    let (arrived, recorded) = match sent {
        Ok(sent) => sent,
        Err(panic) => {
            // Those who joined ask for themselves.
            drop(landing);
            let _ = sender.send(Err(panic));
            return;
        }
    };
    let brought = match &arrived {
        Ok(Arrived::Whole(status, headers, body)) => {
            let answer = Arc::new(WholeAnswer {
                status: *status,
                headers: headers.clone(),
                body: body.clone(),
                request_uuid: of.request_uuid,
                fetched_at: Instant::now(),
            });
            of.reads.keep(&key, operation, &to, &path, &answer);
            Some(Ok(answer))
        }
        // A share is that of the first caller.
        Ok(Arrived::Open(_)) | Err(ApiError::ShareExhausted { .. }) => None,
        Err(error) => Some(Err(error.clone())),
    };
    if let Some(landing) = landing {
        landing.land(brought);
    }
    // Fails if the first caller has gone.
    let _ = sender.send(Ok((arrived, recorded)));
}

/// Whether an older answer is better than this one.
fn does_not_answer(answer: &Result<ApiAnswer, ApiError>) -> bool {
    match answer {
        Ok(answer) => answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS,
        Err(error) => !matches!(error, ApiError::ForbiddenAddress | ApiError::Unsendable(_)),
    }
}
