//! `provider_request`: the bracket around every operation.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use model::{ClientContext, Destination, Effect, JobId, RunId};
use serde_json::Value;
use storage::{FixedColumns, Receipt};
use tracing::{Instrument as _, Span};

use crate::bracket::RequestScope;
use crate::call::Call;
use crate::just_started::JustStarted;
use crate::{DbtProvider, ProviderError};

/// What a request is about, for its row.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// An object, by the names of the provider method's parameters.
    pub(crate) args: Value,
    pub(crate) job_id: Option<JobId>,
    pub(crate) run_id: Option<RunId>,
}

/// How many places in the log's queue a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// One, and another where the row is opened before the work.
    AsNeeded,
    /// Two: the row may be opened when the work turns out to be long.
    OpenAndClose,
}

/// A request that has its places.
pub(crate) struct StartedRequest<To> {
    pub(crate) bracket: RequestScope,
    pub(crate) call: Call<To>,
    pub(crate) span: Span,
}

/// `args!(filter, page)`: the arguments of a provider method as a JSON object.
macro_rules! args {
    ($($name:ident),* $(,)?) => { serde_json::json!({ $((stringify!($name)): &$name),* }) };
}
pub(crate) use args;

impl DbtProvider {
    /// Runs `work` inside its row, by the promise "no answer without its row":
    ///
    /// - a read runs in its caller's time and its whole row is committed before this returns; when the caller goes, the
    ///   read stops and the row says so;
    /// - a change's row is opened and committed before `work` begins; then it runs to its end whether the caller stays
    ///   or not, and a close that Postgres does not take in time stays in the queue.
    ///
    /// # Errors
    /// What `work` returns; [`ProviderError::Log`] when the row could not be committed in time (for a change: dbt Cloud
    /// was not contacted); [`ProviderError::Panicked`].
    pub(crate) async fn provider_request<T, To, Work, Answer>(
        &self,
        ctx: ClientContext<To>,
        asked: Asked,
        work: Work,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        To: Destination + Clone + Send + Sync + 'static,
        Work: FnOnce(Call<To>) -> Answer + Send + 'static,
        Answer: Future<Output = Result<T, ProviderError>> + Send + 'static,
    {
        let effect = ctx.request_type().effect();
        let StartedRequest { bracket, call, span } = self.begin(&ctx, asked, effect, Reservation::AsNeeded).await?;
        let exchanges = bracket.exchanges();
        let guarded = async move {
            // Boxed, since the futures of large answers are large.
            let result = caught(Box::pin(work(call))).await.map_err(|error| match error {
                ProviderError::Api(error) if effect == Effect::Change && !exchanges.has_sent_change() => {
                    ProviderError::BeforeChange(error)
                }
                error => error,
            });
            let receipt = bracket.end(result.as_ref());
            (result, Some(receipt))
        };
        self.settled(effect, span, guarded).await
    }

    /// Takes the request's places in the log, and opens its row where that comes first.
    pub(crate) async fn begin<To: Destination + Clone>(
        &self,
        ctx: &ClientContext<To>,
        asked: Asked,
        effect: Effect,
        places: Reservation,
    ) -> Result<StartedRequest<To>, ProviderError> {
        // Within `http.request`, which has the request's name; more is told only to those who ask for it.
        let span = tracing::debug_span!(
            "dbt.operation",
            otel.name = %format_args!("dbt.{}", ctx.request_type()),
            request.uuid = %ctx.request_uuid(),
            "request.type" = %ctx.request_type(),
            company.id = ctx.caller().company_id.0,
            dbt.account_id = ctx.to().only().map(|upstream| upstream.account_id.0),
        );
        let limits = self.settings.row_limits;
        let opens = effect == Effect::Change || self.settings.open_reads;
        let mut fixed = FixedColumns::admitted(ctx, &asked.args, &limits);
        fixed.job_id = asked.job_id;
        fixed.run_id = asked.run_id;
        fixed.instance_id = self.settings.instance_id;
        let slot = self.log.reserve(opens || places == Reservation::OpenAndClose)?;
        let mut bracket = RequestScope::new(slot, fixed, ctx.stamp().clone(), Arc::clone(&self.clock), limits);
        if opens && let Err(error) = self.opened(&mut bracket).instrument(span.clone()).await {
            // The open row may still be committed later: the close in the queue behind it says what became of it.
            drop(bracket.end::<()>(Err(&error)));
            return Err(error);
        }
        let call = Call::new(
            self,
            ctx.to().clone(),
            ctx.stamp().trace.as_ref(),
            bracket.exchanges(),
            JustStarted {
                runs: Arc::clone(&self.started_runs),
                settings: self.settings.new_runs,
                company: ctx.caller().company_id,
            },
        );
        Ok(StartedRequest { bracket, call, span })
    }

    /// Opens the row, and waits for its commit.
    pub(crate) async fn opened(&self, bracket: &mut RequestScope) -> Result<(), ProviderError> {
        let receipt = bracket.open()?;
        Ok(receipt.committed_within(self.settings.log_wait).await?)
    }

    /// Runs a request to its end and waits for the commit of its row; `None`: the row is closed later, by another.
    pub(crate) async fn settled<T: Send + 'static>(
        &self,
        effect: Effect,
        span: Span,
        guarded: impl Future<Output = (Result<T, ProviderError>, Option<Receipt>)> + Send + 'static,
    ) -> Result<T, ProviderError> {
        match effect {
            Effect::Read => {
                let read = async {
                    let (result, receipt) = guarded.await;
                    if let Some(receipt) = receipt {
                        receipt.committed_within(self.settings.log_wait).await?;
                    }
                    result
                };
                read.instrument(span).await
            }
            Effect::Change => {
                // A task of its own is in no span by itself.
                let span = span.or_current();
                let (result, receipt) = self
                    .tasks
                    .spawn(guarded.instrument(span.clone()))
                    .await
                    .map_err(|_stopped| ProviderError::Panicked)?;
                if let Some(receipt) = receipt
                    && let Err(error) = receipt
                        .committed_within(self.settings.close_wait)
                        .instrument(span)
                        .await
                {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a change was answered before its row was closed"
                    );
                }
                result.map_err(|error| match error {
                    ProviderError::Api(error) => ProviderError::Change(error),
                    error => error,
                })
            }
        }
    }
}

/// The answer of the work, or that it panicked.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or(Err(ProviderError::Panicked))
}
