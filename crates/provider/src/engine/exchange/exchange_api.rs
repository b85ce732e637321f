//! One operation of a request, as an API.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, ApiResponse, CollectLimits, WrappedApi};
use model::{Effect, Upstream};
use shares::Exhausted;

use super::attempts::Attempts;
use super::record::Recorded;
use super::request_api::{Asked, RequestApi};

/// One operation of a request.
pub(crate) struct ExchangeApi {
    pub(super) attempts: Attempts,
    /// The exchange whose answer is being read.
    last: Mutex<Option<Recorded>>,
}

impl ExchangeApi {
    pub(in crate::engine) fn new(request: Arc<RequestApi>, to: Arc<Upstream>, asked: Asked) -> Self {
        Self {
            attempts: Attempts::new(request, to, asked),
            last: Mutex::new(None),
        }
    }

    /// Records the result, once the answer has been read.
    pub(in crate::engine) fn finish<T>(&self, result: &Result<ApiResponse<T>, ApiError>) {
        let Some(last) = self.last.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        match result {
            Ok(answer) => {
                self.attempts.request.exchanges.add_bytes(answer.bytes);
                last.end(Some(answer.status), None);
            }
            Err(error) => last.end(error.status(), Some(error)),
        }
    }

    pub(super) fn keep_record(&self, recorded: Option<Recorded>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = recorded;
    }

    /// Sends the request for this request alone.
    pub(super) async fn alone(&self, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let (arrived, recorded) = self.attempts.clone().send(request).await;
        self.keep_record(recorded);
        Ok(arrived?.into_answer())
    }
}

#[async_trait]
impl WrappedApi for ExchangeApi {
    async fn send(&self, _to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let Attempts {
            request: of, to, asked, ..
        } = &self.attempts;
        if asked.operation.effect() == Effect::Change && asked.repeatable.is_none() {
            of.reads.changed(to);
            let answer = self.alone(request).await;
            of.reads.changed(to);
            return answer;
        }
        if of.shares_reads && asked.repeatable.is_some() {
            return self.shared(request).await;
        }
        self.alone(request).await
    }

    fn limits(&self) -> CollectLimits {
        self.attempts.request.api.limits()
    }

    fn keep_bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        self.attempts.request.api.keep_bytes(bytes)
    }
}
