//! `provider_request`: runs every operation inside a request scope.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use model::{ClientContext, Destination, Effect, JobId, RunId};
use serde_json::{Value, json};
use shares::Owner;
use storage::{FixedColumns, NewIdempotencyKey, Receipt};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::budget::RequestBudget;
use crate::engine::Call;
use crate::engine::exchange::RequestApi;
use crate::engine::new_runs::NewRuns;
use crate::engine::request_scope::RequestScope;
use crate::engine::request_shares::RequestShares;
use crate::exchanges::Exchanges;
use crate::{DbtProvider, ProviderError};

/// The columns of a row that only the operation can fill in.
#[derive(Debug)]
pub(crate) struct RowSubject {
    /// An object, by the names of the provider method's parameters.
    pub(crate) args: Value,
    pub(crate) job_id: Option<JobId>,
    pub(crate) run_id: Option<RunId>,
}

impl RowSubject {
    pub(crate) fn new(args: Value) -> Self {
        Self {
            args,
            job_id: None,
            run_id: None,
        }
    }

    pub(crate) fn job(self, id: impl Into<Option<JobId>>) -> Self {
        Self {
            job_id: id.into(),
            ..self
        }
    }

    pub(crate) fn run(self, id: RunId) -> Self {
        Self {
            run_id: Some(id),
            ..self
        }
    }

    /// With the caller's idempotency key among the arguments.
    pub(crate) fn keyed(mut self, key: Option<&NewIdempotencyKey>) -> Self {
        if let Some(key) = key {
            self.args["idempotency_key"] = json!(key.key.as_str());
        }
        self
    }
}

/// The time that a row has where dbt Cloud has used up the caller's time limit.
const ROW_WAIT: Duration = Duration::from_secs(1);

/// The slots in the log's queue that a request reserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// One for the close, and another where the row is opened before the work.
    AsNeeded,
    /// Both: the row is opened later if the answer is long.
    OpenAndClose,
}

/// A request with its scope and its reservation.
pub(crate) struct StartedRequest<To> {
    pub(crate) scope: RequestScope,
    pub(crate) call: Call<To>,
    pub(crate) rest: RestOfRequest,
}

/// What the end of a request needs.
pub(crate) struct RestOfRequest {
    effect: Effect,
    span: Span,
    exchanges: Arc<Exchanges>,
    request_uuid: Uuid,
    /// When the caller stops waiting, if it says so.
    deadline: Option<Instant>,
}

impl RestOfRequest {
    /// That wait for the row, or less where the caller stops waiting before, but at least [`ROW_WAIT`].
    fn at_most(&self, wait: Duration) -> Duration {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(wait, |left| left.max(ROW_WAIT).min(wait))
    }
}

/// `args!(filter, page)`: the arguments of a provider method, for its row.
macro_rules! args {
    ($($name:ident),* $(,)?) => {
        crate::engine::RowSubject::new(serde_json::json!({ $((stringify!($name)): &$name),* }))
    };
}
pub(crate) use args;

impl DbtProvider {
    /// Runs `work` in a request scope, by the promise "no answer without its row":
    ///
    /// - a read: the complete row is committed before this returns. When the caller disconnects, the read stops and the
    ///   row says so;
    /// - a change: the row is opened and committed before `work` begins. The change then runs to its end even if the
    ///   caller disconnects, and a close that Postgres does not accept in time stays in the queue.
    ///
    /// # Errors
    /// What `work` returns; [`ProviderError::Log`] when the row could not be committed in time (for a change: dbt Cloud
    /// was not contacted); [`ProviderError::Panicked`].
    pub(crate) async fn provider_request<T, To, Work, Answer>(
        &self,
        ctx: ClientContext<To>,
        subject: RowSubject,
        work: Work,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        To: Destination + Clone + Send + Sync + 'static,
        Work: FnOnce(Call<To>) -> Answer + Send + 'static,
        Answer: Future<Output = Result<T, ProviderError>> + Send + 'static,
    {
        let effect = ctx.request_type().effect();
        let StartedRequest { scope, call, rest } = self.begin(&ctx, subject, effect, Reservation::AsNeeded).await?;
        let (exchanges, shares, limit) = (scope.exchanges(), call.shares(), call.time_limit());
        let guarded = async move {
            // Boxed: the futures of large answers are large.
            let worked = limit.bounds(effect, catch_panic(Box::pin(work(call)))).await;
            let result = worked.map_err(|error| match error {
                ProviderError::Api(error) if effect == Effect::Change && !exchanges.has_sent_change() => {
                    ProviderError::BeforeChange(error)
                }
                error => error,
            });
            shares.hold_until_written(scope.held());
            let receipt = scope.end(result.as_ref());
            (result, Some(receipt))
        };
        self.finish(rest, guarded).await
    }

    /// Reserves the request's slots in the log's queue, and opens its row where that comes first.
    pub(crate) async fn begin<To: Destination + Clone>(
        &self,
        ctx: &ClientContext<To>,
        subject: RowSubject,
        effect: Effect,
        reservation: Reservation,
    ) -> Result<StartedRequest<To>, ProviderError> {
        // Debug level: the parent span `http.request` identifies the request.
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
        let mut fixed = FixedColumns::admitted(ctx, &subject.args, &limits);
        fixed.job_id = subject.job_id;
        fixed.run_id = subject.run_id;
        fixed.instance_id = self.settings.instance_id;
        let caller = ctx.caller();
        let owner = Owner::key(caller.company_id.0, caller.api_key_id.0);
        let place = self.shares.requests.try_take(&owner, 1)?;
        let slot = self
            .log
            .reserve(&owner, opens || reservation == Reservation::OpenAndClose)?;
        let mut scope = RequestScope::new(
            (slot, place),
            fixed,
            ctx.stamp().clone(),
            Arc::clone(&self.clock),
            limits,
            self.stopping.clone(),
        );
        let rest = RestOfRequest {
            effect,
            span,
            exchanges: scope.exchanges(),
            request_uuid: ctx.request_uuid(),
            deadline: ctx.stamp().deadline().map(Instant::from_std),
        };
        let wait = rest.at_most(self.settings.log_wait);
        if opens && let Err(error) = self.open(&mut scope, wait).instrument(rest.span.clone()).await {
            // The open row may still be committed later; the queued close then follows it.
            drop(scope.end::<()>(Err(&error)));
            return Err(error);
        }
        let shares = RequestShares::new(self.shares.clone(), owner, effect).paying(self.budget_of(ctx, effect));
        let request = RequestApi::new(self, ctx, effect, scope.exchanges(), shares);
        let new_runs = NewRuns {
            runs: Arc::clone(&self.started_runs),
            settings: self.settings.new_runs,
            company: ctx.caller().company_id,
        };
        let call = Call::new(self, ctx.to().clone(), request, new_runs);
        Ok(StartedRequest { scope, call, rest })
    }

    /// How the request pays for its exchanges, if there is a budget.
    fn budget_of<To>(&self, ctx: &ClientContext<To>, effect: Effect) -> Option<RequestBudget> {
        let budget = self.budget.clone()?;
        let own = Instant::now() + self.api.limits().deadline;
        let callers = ctx.stamp().deadline().map(Instant::from_std);
        let deadline = callers.map_or(own, |deadline| deadline.min(own));
        Some(RequestBudget::new(budget, effect, ctx.stamp().surface, deadline))
    }

    /// Opens the row and waits for its commit.
    pub(crate) async fn open(&self, scope: &mut RequestScope, wait: Duration) -> Result<(), ProviderError> {
        let receipt = scope.open()?;
        Ok(receipt.committed_within(wait).await?)
    }

    /// Runs a request to its end and waits for the commit of its row; a change ends early at the shutdown deadline. Without a receipt the row is closed later, by the
    /// pump.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        rest: RestOfRequest,
        guarded: impl Future<Output = (Result<T, ProviderError>, Option<Receipt>)> + Send + 'static,
    ) -> Result<T, ProviderError> {
        match rest.effect {
            Effect::Read => {
                let read = async {
                    let (result, receipt) = guarded.await;
                    if let Some(receipt) = receipt {
                        receipt.committed_within(rest.at_most(self.settings.log_wait)).await?;
                    }
                    result
                };
                read.instrument(rest.span.clone()).await
            }
            Effect::Change => {
                // A spawned task does not inherit the current span.
                let span = rest.span.clone().or_current();
                let (stopping, exchanges) = (self.stopping.clone(), Arc::clone(&rest.exchanges));
                let ended = async move {
                    let mut guarded = pin!(guarded);
                    tokio::select! {
                        ended = guarded.as_mut() => ended,
                        () = stopping.cancelled() => {
                            let was_sent = exchanges.has_sent_change();
                            // `guarded` owns the request scope, which closes the row as it is dropped.
                            (Err(ProviderError::Stopped { was_sent }), None)
                        }
                    }
                };
                let running = self.tasks.spawn(ended.instrument(span.clone()));
                let ended = match rest.deadline {
                    None => running.await,
                    Some(deadline) => match timeout_at(deadline, running).await {
                        Ok(ended) => ended,
                        Err(_) => return Err(ProviderError::GoesOn(rest.request_uuid)),
                    },
                };
                let (result, receipt) = ended.map_err(|_stopped| ProviderError::Panicked)?;
                if let Some(receipt) = receipt
                    && let Err(error) = receipt
                        .committed_within(rest.at_most(self.settings.close_wait))
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

/// The result of `work`; a panic becomes [`ProviderError::Panicked`].
pub(crate) async fn catch_panic<T>(work: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
    let result = AssertUnwindSafe(work).catch_unwind().await;
    result.unwrap_or(Err(ProviderError::Panicked))
}
