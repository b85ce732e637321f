//! How far a run is.

use model::{RequestType, RunId, RunProgress, Target};

use crate::listening::stream_of;
use crate::{ClientError, DbtClient};

impl DbtClient {
    /// How far a run is, and when it probably ends.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_run_progress(self, target: impl Into<Target>, run_id: RunId) -> Result<RunProgress, ClientError> {
        let watches = self.shared.records.run_watches.clone();
        let (provider, ctx) = self.admit(RequestType::GetRunProgress, target).await?;
        let stream = stream_of(ctx.caller().company_id, ctx.to());
        let known = async move |job| match watches.durations(&stream, job).await {
            Ok(secs) => secs,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "durations of runs cannot be read"
                );
                Vec::new()
            }
        };
        let progress = provider.get_run_progress(ctx, run_id, move |job| async move { known(job).await });
        Ok(progress.await?)
    }
}
