//! The exchanges of one request: each recorded, reads retried after a transient failure, and what dbt Cloud did not
//! process sent again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dbt_api::{ApiAnswer, ApiError, ApiRequest, ApiResponse, CollectLimits, Redirect, WrappedApi};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use model::{AccountId, Clock, EachAccount, JobId, RequestType, RunId, TraceContext, Upstream};
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span, field};

use crate::engine::beginning::{Beginning, read_beginning};
use crate::engine::fresh_connection::on_fresh_connection;
use crate::engine::new_runs::NewRuns;
use crate::engine::request_shares::{RequestShares, SharedApi};
use crate::engine::trace_context::with_trace_context;
use crate::exchanges::{Exchanges, Why};
use crate::{DbtProvider, ProviderError, ProviderMetrics, RetrySettings};

/// What an operation calls dbt Cloud with, to one account or to each of several.
pub(crate) struct Call<To = Arc<Upstream>> {
    api: Arc<dyn WrappedApi>,
    /// The same, for what dbt Cloud did not process.
    on_fresh_connection: OnceLock<Arc<dyn WrappedApi>>,
    to: To,
    operation: RequestType,
    clock: Arc<dyn Clock>,
    retry: RetrySettings,
    /// The number of accounts that are asked concurrently, from 1.
    concurrency: usize,
    shares: Arc<RequestShares>,
    exchanges: Arc<Exchanges>,
    metrics: Arc<ProviderMetrics>,
    new_runs: NewRuns,
    /// Until when the beginning of an answer that is passed on must be there.
    deadline: Instant,
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
        let repeatable = operation.may_be_sent_again();
        self.exchange_at(&self.to, None, operation, why, repeatable, send).await
    }

    /// As [`Self::exchange`], for a request of which the caller knows whether it is `repeatable`: a GraphQL document.
    pub(crate) async fn exchange_document<'a, T, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        repeatable: bool,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        self.exchange_at(&self.to, None, operation, why, repeatable, send).await
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
        let send = |api, to| {
            let answer = send(api, to);
            async move { self.with_beginning(answer.await?, 0).await }
        };
        self.exchange(operation, why, send).await
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

    /// As [`Self::exchange`], for an answer that is passed on with any status. Retried only where `repeatable_bytes` is the
    /// length up to which it is collected: also if it breaks off there, before anything has left to the caller.
    pub(crate) async fn forward<'a, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        repeatable_bytes: Option<usize>,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<ApiAnswer, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<ApiAnswer>, ApiError>>,
    {
        let retry_after = |result: &Result<ApiAnswer, ApiError>| match result {
            _ if repeatable_bytes.is_none() => None,
            Ok(answer) => answer.is_transient().then(|| answer.retry_after().unwrap_or_default()),
            Err(error) => error.is_transient().then(Duration::default),
        };
        let send = |api, to| {
            let answer = send(api, to);
            async move {
                let answer = answer.await?;
                match repeatable_bytes {
                    Some(max_bytes) => self.with_beginning(answer, max_bytes).await,
                    None => Ok(answer),
                }
            }
        };
        self.with_retries(&self.to, None, operation, why, send, retry_after)
            .await
    }

    /// The answer with the beginning of its body read, so that one that breaks off there is an error of the exchange. The
    /// memory for it is counted again by the one who collects it.
    async fn with_beginning(
        &self,
        answer: ApiResponse<ApiAnswer>,
        max_bytes: usize,
    ) -> Result<ApiResponse<ApiAnswer>, ApiError> {
        let answer = answer.data;
        if answer.is_transient() {
            return Ok(answer.into());
        }
        let (status, headers) = (answer.status, answer.headers.clone());
        let kept = AtomicU64::new(0);
        let beginning = read_beginning(answer.into_body(), max_bytes, |bytes| {
            self.shares.keep_bytes(bytes)?;
            kept.fetch_add(bytes as u64, Ordering::Relaxed);
            Ok(())
        });
        let limit = self.collect_limits().deadline;
        let beginning = timeout_at(self.deadline, beginning).await;
        self.free_bytes(kept.into_inner());
        let beginning = beginning.unwrap_or_else(|_| Err(ApiError::deadline_passed(Some(status), limit)))?;
        let body = match beginning {
            Beginning::Whole(body) => stream::iter([Ok(body)]).boxed(),
            Beginning::Longer(pieces, rest) => stream::iter(pieces).map(Ok).chain(rest).boxed(),
        };
        Ok(ApiAnswer::new(status, headers, body).into())
    }

    /// Until when the beginning of an answer that is passed on must be there.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
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
                let repeatable = operation.may_be_sent_again();
                let answer = self
                    .exchange_at(to, Some(account), operation, Why::Asked, repeatable, send)
                    .await;
                answer.map_err(|source| ProviderError::InAccount { account, source })
            });
        }
        stream::iter(exchanges).buffered(self.concurrency).try_collect().await
    }
}

impl<To> Call<To> {
    pub(crate) fn new(
        provider: &DbtProvider,
        to: To,
        operation: RequestType,
        trace: Option<&Arc<TraceContext>>,
        exchanges: Arc<Exchanges>,
        shares: RequestShares,
        new_runs: NewRuns,
    ) -> Self {
        let shares = Arc::new(shares);
        Self {
            api: Arc::new(SharedApi {
                api: with_trace_context(&provider.api, trace),
                shares: Arc::clone(&shares),
            }),
            on_fresh_connection: OnceLock::new(),
            to,
            operation,
            clock: Arc::clone(&provider.clock),
            retry: provider.settings.retry,
            concurrency: provider.settings.gather.concurrency,
            shares,
            exchanges,
            metrics: Arc::clone(&provider.metrics),
            new_runs,
            deadline: Instant::now() + provider.api.limits().deadline,
        }
    }

    /// The request's own operation.
    pub(crate) fn operation(&self) -> RequestType {
        self.operation
    }

    /// As [`Call::exchange`], to that account. `logged_account` repeats it in the exchange where the row spans several
    /// accounts.
    async fn exchange_at<'a, T, Answer>(
        &'a self,
        to: &'a Upstream,
        logged_account: Option<AccountId>,
        operation: RequestType,
        why: Why,
        repeatable: bool,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let retry_after = |result: &Result<T, ApiError>| {
            let error = result
                .as_ref()
                .err()
                .filter(|error| repeatable && error.is_transient())?;
            Some(error.retry_after().unwrap_or_default())
        };
        self.with_retries(to, logged_account, operation, why, send, retry_after)
            .await
    }

    /// Sends, and sends again while `retry_after` returns the least pause before the next try (`None`: no retry). What dbt
    /// Cloud did not process is first sent again once, whatever it is, without a pause and on a new connection.
    async fn with_retries<'a, T, Answer>(
        &'a self,
        to: &'a Upstream,
        logged_account: Option<AccountId>,
        operation: RequestType,
        mut why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
        retry_after: impl Fn(&Result<T, ApiError>) -> Option<Duration>,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let mut pauses = None;
        let mut retries = 0;
        let mut was_not_processed = false;
        loop {
            let span = exchange_span(operation, why, retries);
            let api = match why {
                Why::NotProcessed => self.on_fresh_connection.get_or_init(|| on_fresh_connection(&self.api)),
                _ => &self.api,
            };
            let answer = send(&**api, to).instrument(span.clone());
            let result = self.send_recorded(logged_account, operation, why, &span, answer).await;
            if !was_not_processed && matches!(result, Err(ApiError::NotProcessed(_))) {
                was_not_processed = true;
                why = Why::NotProcessed;
                retries += 1;
                continue;
            }
            let Some(least) = retry_after(&result) else {
                return result;
            };
            match pauses.get_or_insert_with(|| self.retry.pauses()).next() {
                Some(pause) if least <= self.retry.max_pause => tokio::time::sleep(pause.max(least)).await,
                _ => return result,
            }
            why = Why::Retry;
            retries += 1;
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
        self.api.limits()
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

    async fn send_recorded<T>(
        &self,
        account: Option<AccountId>,
        operation: RequestType,
        why: Why,
        span: &Span,
        answer: impl Future<Output = Result<ApiResponse<T>, ApiError>>,
    ) -> Result<T, ApiError> {
        let index = self.exchanges.begin(account, operation, why, self.clock.now());
        let start = std::time::Instant::now();
        let result = answer.await;
        let status = result
            .as_ref()
            .map_or_else(ApiError::status, |response| Some(response.status));
        let (duration, error) = (start.elapsed(), result.as_ref().err());
        self.exchanges.end(index, duration, status, error);
        self.metrics.record_exchange(operation, why, duration, status, error);
        record_result(span, status, error);
        let answer = result?;
        self.exchanges.add_bytes(answer.bytes);
        Ok(answer.data)
    }
}

/// The span of one exchange; the layer that sends it adds method and address.
fn exchange_span(operation: RequestType, why: Why, retries: u32) -> Span {
    tracing::debug_span!(
        "dbt.exchange",
        otel.kind = "client",
        otel.status_code = field::Empty,
        dbt.operation = operation.as_str(),
        dbt.why = why.as_str(),
        http.request.resend_count = (retries > 0).then_some(retries),
        http.response.status_code = field::Empty,
        "error.type" = field::Empty,
    )
}

fn record_result(span: &Span, status: Option<StatusCode>, error: Option<&ApiError>) {
    if span.is_disabled() {
        return;
    }
    if let Some(status) = status {
        span.record("http.response.status_code", status.as_u16());
    }
    if let Some(error) = error {
        span.record("error.type", error.name());
    }
    // An answer that is passed on is `Ok` with any status.
    let refused = status.is_some_and(|status| status.is_client_error() || status.is_server_error());
    if error.is_some() || refused {
        span.record("otel.status_code", "ERROR");
    }
}
