//! One exchange after another for one request: recorded, and reads sent again after a passing failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dbt_api::{ApiAnswer, ApiError, ApiRequest, ApiResponse, CollectLimits, Redirect, WrappedApi};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use model::{AccountId, Clock, EachAccount, JobId, RequestType, RunId, TraceContext, Upstream};
use secrecy::SecretString;
use tracing::{Instrument as _, Span, field};

use crate::carrying::carrying;
use crate::exchanges::{Exchanges, Why};
use crate::just_started::JustStarted;
use crate::{DbtProvider, ProviderError, ProviderMetrics, RetrySettings};

/// What the work of a request is given: the way to dbt Cloud.
pub(crate) struct Call<To = Arc<Upstream>> {
    api: Arc<dyn WrappedApi>,
    to: To,
    pub(crate) clock: Arc<dyn Clock>,
    retry: RetrySettings,
    /// How many of dbt's pages are fetched at once, from 1.
    pub(crate) gather_concurrency: usize,
    exchanges: Arc<Exchanges>,
    metrics: Arc<ProviderMetrics>,
    pub(crate) just_started: JustStarted,
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

    /// As [`Self::exchange`], for an answer that is handed on whatever its status. Sent again only where the *request*
    /// `may_repeat`: a POST may not, although what it asks for be a read.
    pub(crate) async fn forward<'a, Answer>(
        &'a self,
        operation: RequestType,
        why: Why,
        may_repeat: bool,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<ApiAnswer, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<ApiAnswer>, ApiError>>,
    {
        let passes = |result: &Result<ApiAnswer, ApiError>| match result {
            _ if !may_repeat => None,
            Ok(answer) => answer.is_transient().then(|| answer.retry_after().unwrap_or_default()),
            Err(error) => error.is_transient().then(Duration::default),
        };
        self.repeated(&self.to, None, operation, why, send, passes).await
    }

    /// Where that answer sends the request, if it does.
    pub(crate) fn redirect(&self, request: &ApiRequest, answer: &ApiAnswer) -> Option<Redirect> {
        Redirect::of(&self.to, request, answer)
    }

    /// The token that the requests carry.
    pub(crate) fn token(&self) -> &SecretString {
        &self.to.token
    }

    /// The account that is asked.
    pub(crate) fn account_id(&self) -> AccountId {
        self.to.account_id
    }
}

impl Call<EachAccount> {
    /// The accounts that may be asked, each with its own credential.
    pub(crate) fn accounts(&self) -> &[Arc<Upstream>] {
        &self.to
    }

    /// Sends one operation to each of these accounts, some at once, and answers in their order: all, or an error that
    /// says which account it is about.
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
        provider: &DbtProvider,
        to: To,
        trace: Option<&Arc<TraceContext>>,
        exchanges: Arc<Exchanges>,
        just_started: JustStarted,
    ) -> Self {
        Self {
            api: carrying(&provider.api, trace),
            to,
            clock: Arc::clone(&provider.clock),
            retry: provider.settings.retry,
            gather_concurrency: provider.settings.gather_concurrency,
            exchanges,
            metrics: Arc::clone(&provider.metrics),
            just_started,
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
        let may_repeat = operation.may_be_sent_again();
        let passes = |result: &Result<T, ApiError>| {
            let error = result
                .as_ref()
                .err()
                .filter(|error| may_repeat && error.is_transient())?;
            Some(error.retry_after().unwrap_or_default())
        };
        self.repeated(to, told, operation, why, send, passes).await
    }

    /// `is_passing` tells of a failure that may pass when the same is sent again, and how long dbt Cloud wants us to stay
    /// away before that.
    async fn repeated<'a, T, Answer>(
        &'a self,
        to: &'a Upstream,
        told: Option<AccountId>,
        operation: RequestType,
        mut why: Why,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
        is_passing: impl Fn(&Result<T, ApiError>) -> Option<Duration>,
    ) -> Result<T, ApiError>
    where
        Answer: Future<Output = Result<ApiResponse<T>, ApiError>>,
    {
        let mut pauses = None;
        let mut resent = 0;
        loop {
            let span = exchange_span(operation, why, resent);
            let answer = send(&*self.api, to).instrument(span.clone());
            let result = self.once(told, operation, why, &span, answer).await;
            let Some(asked_for) = is_passing(&result) else {
                return result;
            };
            match pauses.get_or_insert_with(|| self.retry.pauses()).next() {
                Some(pause) if asked_for <= self.retry.max_pause => tokio::time::sleep(pause.max(asked_for)).await,
                _ => return result,
            }
            why = Why::Retry;
            resent += 1;
        }
    }

    /// What bounds an answer that is collected whole.
    pub(crate) fn collect_limits(&self) -> CollectLimits {
        self.api.limits()
    }

    /// Notes the job that the request turned out to be about.
    pub(crate) fn set_job(&self, id: JobId) {
        self.exchanges.set_job(id);
    }

    /// Notes the run that the request turned out to be about.
    pub(crate) fn set_run(&self, id: RunId) {
        self.exchanges.set_run(id);
    }

    async fn once<T>(
        &self,
        account: Option<AccountId>,
        operation: RequestType,
        why: Why,
        span: &Span,
        answer: impl Future<Output = Result<ApiResponse<T>, ApiError>>,
    ) -> Result<T, ApiError> {
        let place = self.exchanges.begin(account, operation, why, self.clock.now());
        let begun = Instant::now();
        let result = answer.await;
        let status = result
            .as_ref()
            .map_or_else(ApiError::status, |response| Some(response.status));
        let (took, error) = (begun.elapsed(), result.as_ref().err());
        self.exchanges.end(place, took, status, error);
        self.metrics.exchanged(operation, why, took, status, error);
        tell(span, status, error);
        let answer = result?;
        self.exchanges.came(answer.bytes);
        Ok(answer.data)
    }
}

/// For those who follow a request's spans; whoever sends the exchange adds the method and the address.
fn exchange_span(operation: RequestType, why: Why, resent: u32) -> Span {
    tracing::debug_span!(
        "dbt.exchange",
        otel.kind = "client",
        otel.status_code = field::Empty,
        dbt.operation = operation.as_str(),
        dbt.why = why.as_str(),
        http.request.resend_count = (resent > 0).then_some(resent),
        http.response.status_code = field::Empty,
        "error.type" = field::Empty,
    )
}

fn tell(span: &Span, status: Option<StatusCode>, error: Option<&ApiError>) {
    if span.is_disabled() {
        return;
    }
    if let Some(status) = status {
        span.record("http.response.status_code", status.as_u16());
    }
    if let Some(error) = error {
        span.record("error.type", error.name());
    }
    // An answer that is handed on is no error here, whatever its status.
    let refused = status.is_some_and(|status| status.is_client_error() || status.is_server_error());
    if error.is_some() || refused {
        span.record("otel.status_code", "ERROR");
    }
}
