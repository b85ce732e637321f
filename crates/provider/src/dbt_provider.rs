//! `DbtProvider`: every request to dbt Cloud goes through it.

use std::fmt;
use std::sync::Arc;

use dbt_api::WrappedApi;
use metric_families::Register as _;
use model::{AccountId, Caller, Clock, CompanyId, RequestStamp, RequestType};
use prometheus_client::registry::Registry;
use serde_json::json;
use shares::Owner;
use storage::{Closing, FixedColumns, LogQueue, Outcome, StartedRuns, TriggerLedger};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::whole;
use crate::reads::SharedReads;
use crate::upstream_health::UpstreamHealth;
use crate::{NotClosed, OpenCircuit, ProviderError, ProviderMetrics, ProviderSettings, ProviderShares, RateBudget};

/// Runs each request to dbt Cloud in a request scope, which writes its row. Cheap to clone.
#[derive(Clone)]
pub struct DbtProvider {
    pub(crate) api: Arc<dyn WrappedApi>,
    pub(crate) log: LogQueue,
    pub(crate) shares: ProviderShares,
    pub(crate) started_runs: Arc<dyn StartedRuns>,
    pub(crate) triggers: Arc<dyn TriggerLedger>,
    /// `None`: requests are not limited.
    pub(crate) budget: Option<RateBudget>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: ProviderSettings,
    pub(crate) reads: Arc<SharedReads>,
    pub(crate) health: Arc<UpstreamHealth>,
    pub(crate) metrics: Arc<ProviderMetrics>,
    /// Tasks that outlive their callers: changes in progress and pumps of streamed answers.
    pub(crate) tasks: TaskTracker,
    /// When cancelled, changes and streamed answers in progress end, and their rows are closed.
    pub(crate) stopping: CancellationToken,
    /// As `stopping`, for streamed answers alone.
    pub(crate) streams_shutdown: CancellationToken,
}

impl fmt::Debug for DbtProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbtProvider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl DbtProvider {
    /// A provider that sends through `api` within `shares`, logs to `log`, looks up in `started_runs` which runs are new,
    /// and records attempts to start runs in `triggers`.
    #[expect(clippy::too_many_arguments, reason = "one for each layer or part below")]
    pub fn new(
        api: Arc<dyn WrappedApi>,
        log: LogQueue,
        shares: ProviderShares,
        started_runs: Arc<dyn StartedRuns>,
        triggers: Arc<dyn TriggerLedger>,
        clock: Arc<dyn Clock>,
        settings: ProviderSettings,
        metrics: Arc<ProviderMetrics>,
    ) -> Self {
        let stopping = CancellationToken::new();
        Self {
            api,
            log,
            shares,
            started_runs,
            triggers,
            reads: Arc::new(SharedReads::new(settings.cache.clone(), Arc::clone(&clock))),
            health: Arc::new(UpstreamHealth::new(settings.breaker, settings.retry)),
            budget: None,
            clock,
            settings,
            metrics,
            tasks: TaskTracker::new(),
            streams_shutdown: stopping.child_token(),
            stopping,
        }
    }

    /// The same, with each exchange paid for from `budget`.
    #[must_use]
    pub fn with_budget(self, budget: RateBudget) -> Self {
        Self {
            budget: Some(budget),
            ..self
        }
    }

    /// Logs a request that the gate refused, and waits for the commit. dbt Cloud is not contacted.
    ///
    /// # Errors
    /// [`ProviderError::Log`].
    pub async fn log_refusal(
        &self,
        stamp: &RequestStamp,
        request_type: RequestType,
        caller: &Caller,
        account: Option<AccountId>,
        reason: &str,
    ) -> Result<(), ProviderError> {
        let limits = &self.settings.row_limits;
        let owner = Owner::key(caller.company_id.0, caller.api_key_id.0);
        let slot = self.log.reserve(&owner, false)?;
        let mut fixed = FixedColumns::new(stamp, request_type, caller.company_id, &json!({}), limits);
        fixed.api_key_id = Some(caller.api_key_id);
        fixed.account_id = account;
        fixed.instance_id = self.settings.instance_id;
        let closing = Closing::new(Outcome::Refused, stamp, self.clock.now(), Some(reason), limits);
        slot.close(fixed.closed(closing))
            .committed_within(self.settings.log_wait)
            .await?;
        Ok(())
    }

    /// The circuits of a company's credentials for an account that are not closed.
    pub fn open_circuits(&self, company: CompanyId, account: AccountId) -> Vec<OpenCircuit> {
        self.health.open_circuits(company, account)
    }

    /// The circuits of all companies that are not closed, by API.
    pub fn not_closed(&self) -> Vec<NotClosed> {
        self.health.not_closed()
    }

    /// Adds gauges of kept answers and of circuits, read whenever the registry is collected.
    pub fn observe(&self, registry: &mut Registry) {
        let (reads, health) = (Arc::clone(&self.reads), Arc::clone(&self.health));
        registry.collected(move |gauges| {
            gauges.gauge("kept_answer_bytes", "Memory of kept answers", whole(reads.kept_bytes()))?;
            let help = "Circuits of credentials that send nothing or probe";
            let open: usize = health.not_closed().iter().map(|of_api| of_api.circuits).sum();
            gauges.gauge("circuits_not_closed", help, whole(open as u64))
        });
    }

    /// Waits until all changes and streamed answers in progress have ended. Call it once no new request can arrive.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Aborts the streamed answers in progress and closes their rows: once no caller can read them.
    pub fn abort_streams(&self) {
        self.streams_shutdown.cancel();
    }

    /// Ends everything in progress and closes its rows, when the shutdown deadline has passed. A change that was sent gets
    /// the outcome `abandoned`: what it did is unknown.
    pub fn end_all(&self) {
        self.stopping.cancel();
    }

    /// The number of changes and streamed answers in progress.
    pub fn in_progress(&self) -> usize {
        self.tasks.len()
    }
}
