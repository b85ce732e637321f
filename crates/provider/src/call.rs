//! One exchange after another for one request: recorded, and reads sent again after a passing failure.

use std::sync::Arc;
use std::time::Instant;

use dbt_api::{ApiError, ApiResponse, WrappedApi};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use model::{AccountId, Clock, EachAccount, Effect, RequestType, RunId, Upstream};

use crate::exchanges::{Exchanges, Why};
use crate::{ProviderError, RetrySettings};

/// What the work of a request is given: the way to dbt Cloud.
pub(crate) struct Call<To = Arc<Upstream>> {
    api: Arc<dyn WrappedApi>,
    to: To,
    clock: Arc<dyn Clock>,
    retry: RetrySettings,
    /// How many of dbt's pages are fetched at once, from 1.
    pub(crate) gather_concurrency: usize,
    exchanges: Arc<Exchanges>,
}

impl Call {
    /// Sends one operation to dbt Cloud. A change is sent once, whatever happens; a read is sent again after a passing
    /// failure, and each sending is an exchange of its own in the row.
    pub(crate) async fn exchange<'a, T, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        self.exchange_at(&self.to, None, operation, why, send).await
    }
}

impl Call<EachAccount> {
    /// The accounts that may be asked, each with its own credential.
    pub(crate) fn accounts(&self) -> &[Arc<Upstream>] {
        &self.to
    }

    /// Sends one operation to each of these accounts, some at once, and answers in their order: all, or an error that
    /// says which account it is about.
    pub(crate) async fn at_each<'a, T, Answer>(
        &'a self,
        accounts: &'a [Arc<Upstream>],
        operation: RequestType,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<Vec<T>, ProviderError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let send = &send;
        let mut exchanges = Vec::with_capacity(accounts.len());
        for to in accounts {
            exchanges.push(async move {
                let account = to.account_id;
                let answer = self.exchange_at(to, Some(account), operation, Why::Asked, send).await;
                answer.map_err(|source| ProviderError::InAccount { account, source })
            });
        }
        stream::iter(exchanges)
            .buffered(self.gather_concurrency)
            .try_collect()
            .await
    }
}

impl<To> Call<To> {
    pub(crate) fn new(
        api: Arc<dyn WrappedApi>,
        to: To,
        clock: Arc<dyn Clock>,
        retry: RetrySettings,
        gather_concurrency: usize,
        exchanges: Arc<Exchanges>,
    ) -> Self {
        Self {
            api,
            to,
            clock,
            retry,
            gather_concurrency,
            exchanges,
        }
    }

    /// As [`Call::exchange`], to that account; `told` is it again where the row cannot name it for all exchanges.
    async fn exchange_at<'a, T, Answer>(
        &'a self,
        to: &'a Upstream,
        told: Option<AccountId>,
        operation: RequestType,
        why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let mut pauses = match operation.effect() {
            Effect::Read => Some(self.retry.pauses()),
            Effect::Change => None,
        };
        let mut why = why;
        loop {
            let error = match self.once(told, operation, why, send(&*self.api, to)).await {
                Ok(data) => return Ok(data),
                Err(error) => error,
            };
            let pause = pauses
                .as_mut()
                .filter(|_| error.is_transient())
                .and_then(Iterator::next);
            let asked_for = error.retry_after().unwrap_or_default();
            match pause {
                Some(pause) if asked_for <= self.retry.max_pause => tokio::time::sleep(pause.max(asked_for)).await,
                _ => return Err(error),
            }
            why = Why::Retry;
        }
    }

    /// Notes the run that the request turned out to be about.
    pub(crate) fn about_run(&self, id: RunId) {
        self.exchanges.about_run(id);
    }

    async fn once<T>(
        &self,
        account: Option<AccountId>,
        operation: RequestType,
        why: Why,
        answer: impl Future<Output = Result<ApiResponse<T>, ApiError>>,
    ) -> Result<T, ApiError> {
        let place = self.exchanges.begin(account, operation, why, self.clock.now());
        let begun = Instant::now();
        let result = answer.await;
        let status = result
            .as_ref()
            .map_or_else(ApiError::status, |response| Some(response.status));
        self.exchanges
            .end(place, begun.elapsed(), status, result.as_ref().err());
        Ok(result?.data)
    }
}
