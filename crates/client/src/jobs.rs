//! Jobs.

use model::{JobId, RequestType, Run, Target, TriggerJob};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Starts a run of a job. Not idempotent: every accepted call starts a run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trigger_job(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        order: TriggerJob,
    ) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::TriggerJob, target).await?;
        Ok(provider.trigger_job(ctx, job_id, order).await?)
    }
}
