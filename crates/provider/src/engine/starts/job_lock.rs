//! The lock of a job, for a look at its runs and what follows from it. Holds across replicas.

use std::time::Duration;

use model::{AccountId, JobId};
use tokio::time::Instant;
use uuid::Uuid;

use super::renewal::while_renewing;
use super::starter::Starter;
use crate::ProviderError;

const PAUSE: Duration = Duration::from_millis(100);

impl Starter {
    /// Runs `work` while no other request looks at that job's runs in order to act on them.
    ///
    /// # Errors
    /// [`ProviderError::JobBusy`] if another request holds the lock for too long: dbt Cloud was not contacted.
    pub(crate) async fn with_job_locked<T>(
        &self,
        (host, account, job): (&str, AccountId, JobId),
        owner: Uuid,
        work: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let lease = self.settings.lease;
        let until = Instant::now() + self.settings.job_wait;
        while !self.ledger.lock_job(host, account, job, owner, lease).await? {
            if Instant::now() + PAUSE >= until {
                return Err(ProviderError::JobBusy(job));
            }
            tokio::time::sleep(PAUSE).await;
        }
        let renew = || self.ledger.lock_job(host, account, job, owner, lease);
        let done = while_renewing("job", lease, renew, work).await;
        if let Err(error) = self.ledger.unlock_job(host, account, job, owner).await {
            // The lease then ends by itself.
            tracing::warn!(error = &error as &dyn std::error::Error, "a job was not unlocked");
        }
        done
    }
}
