//! Artifacts: the files that a run leaves behind.

use http::HeaderMap;
use model::{ArtifactPath, ArtifactStep, ClientContext, Effect, JobId, RequestType, RunId};

use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError, StreamedAnswer};

/// Every artifact is streamed, however short.
const COLLECT_NOTHING: usize = 0;

impl DbtProvider {
    /// The paths of a run's artifacts; of its last step, unless another is named.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn list_run_artifacts(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        step: Option<ArtifactStep>,
    ) -> Result<Vec<String>, ProviderError> {
        let asked = Asked {
            args: args!(run_id, step),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let step = call.step_index(run_id, step).await?;
            Ok(call
                .exchange(RequestType::ListRunArtifacts, Why::Asked, move |api, to| {
                    api.list_run_artifacts(to, run_id, step)
                })
                .await?)
        })
        .await
    }

    /// One artifact of a run, streamed; of its last step, unless another is named. `headers` are the caller's that ask
    /// for a part, for a changed file, or for an encoding.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_run_artifact(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        path: ArtifactPath,
        step: Option<ArtifactStep>,
        headers: HeaderMap,
    ) -> Result<StreamedAnswer, ProviderError> {
        let asked = Asked {
            args: args!(run_id, path, step),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_stream(ctx, asked, Effect::Read, COLLECT_NOTHING, move |call| async move {
            let (path, headers) = (&path, &headers);
            let step = call.step_index(run_id, step).await?;
            Ok(call
                .exchange(RequestType::GetRunArtifact, Why::Asked, move |api, to| {
                    api.get_run_artifact(to, run_id, path, step, headers)
                })
                .await?)
        })
        .await
    }

    /// The latest artifact of that path of a job's runs, streamed. Where a step is named, that of the job's latest run that
    /// has succeeded or failed: dbt Cloud has no step for artifacts of jobs.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_job_artifact(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        path: ArtifactPath,
        step: Option<ArtifactStep>,
        headers: HeaderMap,
    ) -> Result<StreamedAnswer, ProviderError> {
        let asked = Asked {
            args: args!(job_id, path, step),
            job_id: Some(job_id),
            ..Asked::default()
        };
        self.provider_stream(ctx, asked, Effect::Read, COLLECT_NOTHING, move |call| async move {
            let (path, headers) = (&path, &headers);
            if step.is_none() {
                return Ok(call
                    .exchange(RequestType::GetJobArtifact, Why::Asked, move |api, to| {
                        api.get_job_artifact(to, job_id, path, headers)
                    })
                    .await?);
            }
            let run_id = call.latest_ended_run(job_id).await?;
            let step = call.step_index(run_id, step).await?;
            Ok(call
                .exchange(RequestType::GetRunArtifact, Why::Asked, move |api, to| {
                    api.get_run_artifact(to, run_id, path, step, headers)
                })
                .await?)
        })
        .await
    }
}
