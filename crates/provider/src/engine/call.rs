//! The exchanges of one request, by operation.

use std::sync::Arc;

use dbt_api::{ApiAnswer, ApiError, ApiRequest, ApiResponse, CollectLimits, Redirect, WrappedApi};
use elsa::sync::FrozenVec;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use model::{AccountId, Clock, EachAccount, Effect, JobId, RequestType, RunId, Upstream};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::engine::exchange::{Asked, ExchangeApi, RequestApi};
use crate::engine::new_runs::NewRuns;
use crate::engine::request_shares::RequestShares;
use crate::engine::time_limit::TimeLimit;
use crate::exchanges::{Exchanges, Why};
use crate::{DbtProvider, ProviderError};

/// What an operation calls dbt Cloud with, to one account or to each of several.
pub(crate) struct Call<To = Arc<Upstream>> {
    request: Arc<RequestApi>,
    /// The exchanges, which the futures of `send` borrow.
    sent: FrozenVec<Box<ExchangeApi>>,
    to: To,
    operation: RequestType,
    clock: Arc<dyn Clock>,
    limits: CollectLimits,
    /// The number of accounts that are asked concurrently, from 1.
    concurrency: usize,
    shares: Arc<RequestShares>,
    exchanges: Arc<Exchanges>,
    new_runs: NewRuns,
    time_limit: TimeLimit,
}

impl Call {
    /// Sends the request's own operation to dbt Cloud, as [`Self::exchange`] does.
    pub(crate) async fn ask<'a, T, Answer>(
        &'a self,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ProviderError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        Ok(self.exchange(self.operation, Why::Asked, send).await?)
    }

    /// Sends one operation to dbt Cloud: a change once, and once more only if the protocol guarantees that it was not
    /// processed; a read again after a transient failure. Each time is an exchange of its own in the row.
    pub(crate) async fn exchange<'a, T, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let is_repeatable = operation.may_be_sent_again();
        self.exchange_document(operation, why, is_repeatable, send).await
    }

    /// As [`Self::exchange`], for a request of which the caller knows whether it is repeatable: a GraphQL document.
    pub(crate) async fn exchange_document<'a, T, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        is_repeatable: bool,
        send: impl FnOnce(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        self.forward(operation, why, self.whole(is_repeatable), send).await
    }

    /// As [`Self::exchange`], for a file, which is sent again if it breaks off before its first piece.
    pub(crate) async fn exchange_file<'a, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<ApiAnswer, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<ApiAnswer>, ApiError>>,
    {
        self.forward(operation, why, Some(0), send).await
    }

    /// As [`Call::exchange`], recorded as being about that run, which is not the row's.
    pub(crate) async fn exchange_about<'a, T, Answer>(
        &'a self,
        run: RunId,
        operation: RequestType,
        why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let answer = self.exchange(operation, why, send).await;
        self.exchanges.set_run_of_last(run);
        answer
    }

    /// As [`Call::exchange`], for a read of one run. Repeated for a while where dbt Cloud answers 404 and the log has the
    /// run as just started.
    ///
    /// # Errors
    /// Those of the exchange; [`ProviderError::RunNotVisibleYet`].
    pub(crate) async fn exchange_for_run<'a, T, Answer>(
        &'a self,
        run: RunId,
        operation: RequestType,
        why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ProviderError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let first = self.exchange(operation, why, &send).await;
        let new_runs = &self.new_runs;
        if !matches!(first, Err(ApiError::NotFound { .. }))
            || !new_runs.was_started(self.account_id(), run, &*self.clock).await
        {
            return Ok(first?);
        }
        let deadline = Instant::now() + new_runs.settings.wait;
        while Instant::now() < deadline {
            tokio::time::sleep_until(deadline.min(Instant::now() + new_runs.settings.pause)).await;
            match self.exchange(operation, Why::NotVisibleYet, &send).await {
                Err(ApiError::NotFound { .. }) => {}
                answer => return Ok(answer?),
            }
        }
        Err(ProviderError::RunNotVisibleYet(run))
    }

    /// As [`Self::exchange`], for an answer that is passed on with any status. Sent again only where `repeatable_bytes` is
    /// the length up to which it is collected: also if it breaks off there, before anything has left to the caller.
    pub(crate) async fn forward<'a, T, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        repeatable_bytes: Option<usize>,
        send: impl FnOnce(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let asked = Asked {
            account: None,
            operation,
            why,
            repeatable: repeatable_bytes,
        };
        self.exchange_at(&self.to, asked, send).await
    }

    /// The redirect in the answer, if there is one.
    pub(crate) fn redirect(&self, request: &ApiRequest, answer: &ApiAnswer) -> Option<Redirect> {
        Redirect::of(&self.to, request, answer)
    }

    /// The token of the requests.
    pub(crate) fn token(&self) -> &SecretString {
        &self.to.token
    }

    /// The account of the requests.
    pub(crate) fn account_id(&self) -> AccountId {
        self.to.account_id
    }
}

impl Call<EachAccount> {
    /// The accounts, each with its own credential.
    pub(crate) fn accounts(&self) -> &[Arc<Upstream>] {
        &self.to
    }

    /// Sends one operation to each of these accounts, some concurrently, and returns the answers in their order. One
    /// failure fails all, with an error that names the account.
    pub(crate) async fn exchange_each<'a, T, Answer>(
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
                let asked = Asked {
                    account: Some(account),
                    operation,
                    why: Why::Asked,
                    repeatable: self.whole(operation.may_be_sent_again()),
                };
                let answer = self.exchange_at(to, asked, send).await;
                answer.map_err(|source| ProviderError::InAccount { account, source })
            });
        }
        stream::iter(exchanges).buffered(self.concurrency).try_collect().await
    }
}

impl<To> Call<To> {
    pub(crate) fn new(provider: &DbtProvider, to: To, request: RequestApi, new_runs: NewRuns) -> Self {
        let limits = provider.api.limits();
        Self {
            sent: FrozenVec::new(),
            to,
            operation: request.operation,
            clock: Arc::clone(&provider.clock),
            limits,
            concurrency: provider.settings.gather.concurrency,
            shares: Arc::clone(&request.shares),
            exchanges: Arc::clone(&request.exchanges),
            new_runs,
            time_limit: request.time_limit,
            request: Arc::new(request),
        }
    }

    /// The request's own operation.
    pub(crate) fn operation(&self) -> RequestType {
        self.operation
    }

    /// As [`Call::exchange`], to that account. `send` calls one method of the API once.
    async fn exchange_at<'a, T, Answer>(
        &'a self,
        to: &'a Arc<Upstream>,
        asked: Asked,
        send: impl FnOnce(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let api = ExchangeApi::new(Arc::clone(&self.request), Arc::clone(to), asked);
        let api = self.sent.push_get(Box::new(api));
        let result = send(api, to).await;
        api.finish(&result);
        Ok(result?.data)
    }

    /// How much of a typed read's answer is read before it is decoded: all. `None` if it is not repeatable.
    fn whole(&self, is_repeatable: bool) -> Option<usize> {
        is_repeatable.then_some(self.limits.max_body_bytes)
    }

    /// How long the caller of a read waits.
    pub(crate) fn time_limit(&self) -> TimeLimit {
        self.time_limit
    }

    /// Until when the beginning of an answer that is passed on must be there.
    pub(crate) fn beginning_limit(&self, effect: Effect) -> TimeLimit {
        let own = TimeLimit::starting_now(self.limits.deadline);
        match effect {
            Effect::Read => self.time_limit.or_earlier(own),
            Effect::Change => own,
        }
    }

    /// The shares of the request.
    pub(crate) fn shares(&self) -> Arc<RequestShares> {
        Arc::clone(&self.shares)
    }

    /// Reserves memory for answers that are read next.
    pub(crate) async fn reserve_bytes(&self, bytes: u64) -> Result<(), ApiError> {
        let reserved = self.shares.reserve_bytes(bytes).await;
        reserved.map_err(|source| ApiError::ShareExhausted { status: None, source })
    }

    /// Frees the memory of an answer.
    pub(crate) fn free_bytes(&self, bytes: u64) {
        self.shares.free_bytes(bytes);
    }

    /// The limits of an answer that is collected whole.
    pub(crate) fn collect_limits(&self) -> CollectLimits {
        self.limits
    }

    /// Records the job in the row.
    pub(crate) fn set_job(&self, id: JobId) {
        self.exchanges.set_job(id);
    }

    /// Records the status of the lost answer in the row: the looks for its run have others.
    pub(crate) fn set_last_status(&self, status: Option<StatusCode>) {
        self.exchanges.set_last_status(status);
    }

    /// Records the run in the row.
    pub(crate) fn set_run(&self, id: RunId) {
        self.exchanges.set_run(id);
    }
}
