//! Artifacts: the files that a run writes.

use http::HeaderMap;
use model::{ArtifactPath, ArtifactStep, ClientContext, Effect, JobId, RequestType, RunId};

use crate::engine::args;
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError, StreamedAnswer};

/// Every artifact is streamed, even a short one.
const COLLECT_NOTHING: usize = 0;

impl DbtProvider {
    /// The paths of the artifacts of a run's step, by default the last one.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn list_run_artifacts(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        step: Option<ArtifactStep>,
    ) -> Result<Vec<String>, ProviderError> {
        let subject = args!(run_id, step).run(run_id);
        self.provider_request(ctx, subject, move |call| async move {
            let step = call.step_index(run_id, step).await?;
            call.ask(move |api, to| api.list_run_artifacts(to, run_id, step)).await
        })
        .await
    }

    /// One artifact of a run's step, by default the last one, streamed. `headers` are the caller's: ranges, conditions,
    /// encodings.
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
        let subject = args!(run_id, path, step).run(run_id);
        self.provider_stream(ctx, subject, Effect::Read, COLLECT_NOTHING, move |call| async move {
            let (path, headers) = (&path, &headers);
            let step = call.step_index(run_id, step).await?;
            Ok(call
                .exchange_file(RequestType::GetRunArtifact, Why::Asked, move |api, to| {
                    api.get_run_artifact(to, run_id, path, step, headers)
                })
                .await?)
        })
        .await
    }

    /// The latest artifact of a job, streamed. With a step it is read from the job's latest run that succeeded or failed:
    /// dbt Cloud has no step for artifacts of jobs.
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
        let subject = args!(job_id, path, step).job(job_id);
        self.provider_stream(ctx, subject, Effect::Read, COLLECT_NOTHING, move |call| async move {
            let (path, headers) = (&path, &headers);
            if step.is_none() {
                return Ok(call
                    .exchange_file(RequestType::GetJobArtifact, Why::Asked, move |api, to| {
                        api.get_job_artifact(to, job_id, path, headers)
                    })
                    .await?);
            }
            let run_id = call.latest_ended_run(job_id).await?;
            let step = call.step_index(run_id, step).await?;
            Ok(call
                .exchange_file(RequestType::GetRunArtifact, Why::Asked, move |api, to| {
                    api.get_run_artifact(to, run_id, path, step, headers)
                })
                .await?)
        })
        .await
    }
}
