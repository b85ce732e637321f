//! Runs.

use model::{RequestType, Run, RunId, Target};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// One run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_run(self, target: impl Into<Target>, run_id: RunId) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetRun, target).await?;
        Ok(provider.get_run(ctx, run_id).await?)
    }
}
