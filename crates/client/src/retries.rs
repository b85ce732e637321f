//! Runs that pick up where another failed.

use model::{JobId, RequestType, RetryPreview, Run, RunId, Target};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Whether a run can be retried, and what a retry would run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_retry_preview(
        self,
        target: impl Into<Target>,
        run_id: RunId,
    ) -> Result<RetryPreview, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetRetryPreview, target).await?;
        Ok(provider.get_retry_preview(ctx, run_id).await?)
    }

    /// Starts a run from where that one failed. Not idempotent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retry_run(self, target: impl Into<Target>, run_id: RunId) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::RetryRun, target).await?;
        Ok(provider.retry_run(ctx, run_id).await?)
    }

    /// Starts a run of a job from where its latest one failed, else a new one. Not idempotent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rerun_job(self, target: impl Into<Target>, job_id: JobId) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::RerunJob, target).await?;
        Ok(provider.rerun_job(ctx, job_id).await?)
    }
}
