//! Runs.

use model::{AccountId, RequestType, Run, RunId};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// One run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_run(self, account: Option<AccountId>, run_id: RunId) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetRun, account).await?;
        Ok(provider.get_run(ctx, run_id).await?)
    }
}
