//! Runs.

use model::{Page, PageQuery, RequestType, Run, RunFailure, RunFilter, RunId, RunRelated, RunStep, Target};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// A page of an account's runs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_runs(
        self,
        target: impl Into<Target>,
        filter: RunFilter,
        page: PageQuery,
    ) -> Result<Page<Run>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListRuns, target).await?;
        Ok(provider.list_runs(ctx, filter, page).await?)
    }

    /// One run, with what is asked for besides.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_run(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        related: Vec<RunRelated>,
    ) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetRun, target).await?;
        Ok(provider.get_run(ctx, run_id, related).await?)
    }

    /// A page of a run's steps, with their logs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_run_steps(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        debug_logs: bool,
        page: PageQuery,
    ) -> Result<Page<RunStep>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListRunSteps, target).await?;
        Ok(provider.list_run_steps(ctx, run_id, debug_logs, page).await?)
    }

    /// Why a run failed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_run_failure(self, target: impl Into<Target>, run_id: RunId) -> Result<RunFailure, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetRunFailure, target).await?;
        Ok(provider.get_run_failure(ctx, run_id).await?)
    }

    /// Cancels a run; one that is being cancelled already, or was, stays so.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel_run(self, target: impl Into<Target>, run_id: RunId) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::CancelRun, target).await?;
        Ok(provider.cancel_run(ctx, run_id).await?)
    }
}
