//! Artifacts.

use http::HeaderMap;
use model::{ArtifactPath, ArtifactStep, JobId, RequestType, RunId, Target};
use provider::StreamedAnswer;

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// The paths of a run's artifacts; of its last step, unless another is named.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_run_artifacts(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        step: Option<ArtifactStep>,
    ) -> Result<Vec<String>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListRunArtifacts, target).await?;
        Ok(provider.list_run_artifacts(ctx, run_id, step).await?)
    }

    /// One artifact of a run, streamed; of its last step, unless another is named. `headers` are the caller's that ask
    /// for a part, for a changed file, or for an encoding: they are sent to dbt Cloud as they are.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_run_artifact(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        path: ArtifactPath,
        step: Option<ArtifactStep>,
        headers: HeaderMap,
    ) -> Result<StreamedAnswer, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetRunArtifact, target).await?;
        Ok(provider.get_run_artifact(ctx, run_id, path, step, headers).await?)
    }

    /// The latest artifact of that path of a job's runs, streamed; where a step is named, that of the job's latest run that
    /// has succeeded or failed. `headers` as for [`Self::get_run_artifact`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_job_artifact(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        path: ArtifactPath,
        step: Option<ArtifactStep>,
        headers: HeaderMap,
    ) -> Result<StreamedAnswer, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetJobArtifact, target).await?;
        Ok(provider.get_job_artifact(ctx, job_id, path, step, headers).await?)
    }
}
