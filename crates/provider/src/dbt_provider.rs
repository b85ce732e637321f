//! `DbtProvider`: what every request of the gateway goes through on its way to dbt Cloud.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use dbt_api::WrappedApi;
use model::{AccountId, Caller, Clock, InstanceId, RequestStamp, RequestType};
use serde_json::json;
use storage::{Closing, FixedColumns, LogQueue, Outcome, RowLimits, StartedRuns};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{FailureSettings, GraphqlSettings, NewRunSettings, ProviderError, ProviderMetrics, RelaySettings};

/// When and how often a read is sent again.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// How often at most, 0 to 2.
    pub max_retries: usize,
    /// The first pause; each further one is twice as long, all with jitter.
    pub min_pause: Duration,
    /// The longest pause. A `Retry-After` beyond it is not waited for.
    pub max_pause: Duration,
}

impl RetrySettings {
    pub(crate) fn pauses(self) -> impl Iterator<Item = Duration> {
        ExponentialBuilder::default()
            .with_min_delay(self.min_pause)
            .with_max_delay(self.max_pause)
            .with_max_times(self.max_retries)
            .with_jitter()
            .build()
    }
}

/// How answers are handed on piece by piece.
#[derive(Debug, Clone, Copy)]
pub struct StreamSettings {
    /// How many pieces wait for a caller that is slower than dbt Cloud, from 1. A piece is what one read of the
    /// connection gave, at most some hundred kilobytes.
    pub buffer_pieces: usize,
    /// How long a caller may take nothing before it counts as gone.
    pub stall: Duration,
}

/// The provider's limits.
#[derive(Debug, Clone, Copy)]
pub struct ProviderSettings {
    /// The retry of reads.
    pub retry: RetrySettings,
    /// How many of dbt's pages one request fetches at once, from 1.
    pub gather_concurrency: usize,
    /// How a 404 for a run that was started just now is met.
    pub new_runs: NewRunSettings,
    /// How long a request waits for the commit of its row before it is refused.
    pub log_wait: Duration,
    /// How long the answer of a change waits for the close of its row.
    pub close_wait: Duration,
    /// Whether the rows of reads are opened first as well, as those of changes always are.
    pub open_reads: bool,
    /// How streamed answers are handed on.
    pub stream: StreamSettings,
    /// How the relay treats answers.
    pub relay: RelaySettings,
    /// What bounds GraphQL questions that take several exchanges.
    pub graphql: GraphqlSettings,
    /// What bounds the account of a failure.
    pub run_failure: FailureSettings,
    /// How much of a text a row keeps.
    pub row_limits: RowLimits,
    /// The process that writes the rows.
    pub instance_id: Option<InstanceId>,
}

/// The provider of dbt Cloud: brackets each request with its row. Cheap to clone.
#[derive(Clone)]
pub struct DbtProvider {
    pub(crate) api: Arc<dyn WrappedApi>,
    pub(crate) log: LogQueue,
    pub(crate) started_runs: Arc<dyn StartedRuns>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: ProviderSettings,
    pub(crate) metrics: Arc<ProviderMetrics>,
    /// What outlives its caller: the changes under way, and the pumps of streamed answers.
    pub(crate) tasks: TaskTracker,
    /// Cancelled: streamed answers break off.
    pub(crate) cut: CancellationToken,
}

impl fmt::Debug for DbtProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbtProvider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl DbtProvider {
    /// A provider that sends by `api`, logs into `log`, and learns from `started_runs` which runs are new.
    pub fn new(
        api: Arc<dyn WrappedApi>,
        log: LogQueue,
        started_runs: Arc<dyn StartedRuns>,
        clock: Arc<dyn Clock>,
        settings: ProviderSettings,
        metrics: Arc<ProviderMetrics>,
    ) -> Self {
        Self {
            api,
            log,
            started_runs,
            clock,
            settings,
            metrics,
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
        }
    }

    /// The row of a request that the gate refused; dbt Cloud is not contacted. Waits for its commit.
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
        let slot = self.log.reserve(false)?;
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

    /// Whether the log's queue takes another request.
    pub fn has_room(&self) -> bool {
        self.log.reserve(true).is_ok()
    }

    /// Waits for the changes and the streamed answers under way to end. Call it when no new request can come.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Breaks off the streamed answers under way, at the end of a stop's patience; their rows are closed.
    pub fn cut_streams(&self) {
        self.cut.cancel();
    }
}
