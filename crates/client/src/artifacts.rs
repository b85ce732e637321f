//! Artifacts.

use http::HeaderMap;
use model::{ArtifactPath, ArtifactStep, JobId, RunId};
use provider::StreamedAnswer;

crate::operations! {
    /// The paths of the artifacts of a run's step, by default the last one.
    ListRunArtifacts => list_run_artifacts(run_id: RunId, step: Option<ArtifactStep>) -> Vec<String>;
    /// One artifact of a run's step, by default the last one, streamed. `headers` are the caller's (ranges, conditions,
    /// encodings), sent to dbt Cloud unchanged.
    GetRunArtifact => get_run_artifact(
        run_id: RunId, path: ArtifactPath, step: Option<ArtifactStep>, headers: HeaderMap,
    ) -> StreamedAnswer;
    /// The latest artifact of a job, streamed; with a step, that of the job's latest run that succeeded or failed.
    GetJobArtifact => get_job_artifact(
        job_id: JobId, path: ArtifactPath, step: Option<ArtifactStep>, headers: HeaderMap,
    ) -> StreamedAnswer;
}
