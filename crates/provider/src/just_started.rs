//! Reads of a run that was started just now: dbt Cloud may not show it for a moment.

use std::sync::Arc;
use std::time::Duration;

use dbt_api::{ApiError, ApiResponse, WrappedApi};
use model::{CompanyId, RequestType, RunId, Upstream};
use storage::StartedRuns;
use tokio::time::Instant;

use crate::ProviderError;
use crate::call::Call;
use crate::exchanges::Why;

/// How a 404 for a run that was started just now is met.
#[derive(Debug, Clone, Copy)]
pub struct NewRunSettings {
    /// For how long a run counts as just started; zero: never.
    pub young: Duration,
    /// For how long it is asked for again.
    pub wait: Duration,
    /// The pause between two such exchanges.
    pub pause: Duration,
}

/// What a request knows of runs that were started just now.
pub(crate) struct JustStarted {
    pub(crate) runs: Arc<dyn StartedRuns>,
    pub(crate) settings: NewRunSettings,
    pub(crate) company: CompanyId,
}

impl Call {
    /// As [`Call::exchange`], for a read of one run. Where dbt Cloud has no such run and the log tells that it was
    /// started just now, it is asked again for a while.
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
        if !matches!(first, Err(ApiError::NotFound { .. })) || !self.was_just_started(run).await {
            return Ok(first?);
        }
        let NewRunSettings { wait, pause, .. } = self.just_started.settings;
        let until = Instant::now() + wait;
        while Instant::now() < until {
            tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
            match self.exchange(operation, Why::NotVisibleYet, &send).await {
                Err(ApiError::NotFound { .. }) => {}
                answer => return Ok(answer?),
            }
        }
        Err(ProviderError::RunNotVisibleYet(run))
    }

    async fn was_just_started(&self, run: RunId) -> bool {
        let JustStarted {
            runs,
            settings,
            company,
        } = &self.just_started;
        if settings.young.is_zero() {
            return false;
        }
        let since = self.clock.now() - settings.young;
        let found = runs.was_started(*company, self.account_id(), run, since).await;
        found.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "whether a run was started just now is not known"
            );
            false
        })
    }
}
