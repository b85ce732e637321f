//! Artifacts, the files that runs produce, by the Administrative API v2.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use model::{ArtifactPath, JobId, NodeResults, ResultsFile, RunId, Upstream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::response::{decode_file, successful};
use crate::{ApiAnswer, ApiError, ApiRequest, ApiResponse, WrappedApi, collect};

/// All characters except RFC 3986's unreserved ones and the slash.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

impl dyn WrappedApi {
    /// The paths of a run's artifacts: "List Run Artifacts", `GET /v2/accounts/{account_id}/runs/{run_id}/artifacts/`.
    /// Empty if dbt Cloud answers null in an envelope that says success. `step` counts from 1; dbt Cloud's default is the run's last step.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] also for a run without artifacts.
    pub async fn list_run_artifacts(
        &self,
        to: &Upstream,
        run: RunId,
        step: Option<u32>,
    ) -> Result<ApiResponse<Vec<String>>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/runs/{run}/artifacts/", to.account_id));
        self.fetch_whole_list(to, with_step(request, step)).await
    }

    /// One artifact of a run: "Retrieve Run Artifact", `GET /v2/accounts/{account_id}/runs/{run_id}/artifacts/{path}`.
    /// `step` as for [`Self::list_run_artifacts`](#method.list_run_artifacts); `headers` are the caller's
    /// conditional, range and encoding headers.
    ///
    /// # Errors
    /// As [`Self::fetch_file`](#method.fetch_file).
    pub async fn get_run_artifact(
        &self,
        to: &Upstream,
        run: RunId,
        path: &ArtifactPath,
        step: Option<u32>,
        headers: &HeaderMap,
    ) -> Result<ApiResponse<ApiAnswer>, ApiError> {
        let path = utf8_percent_encode(path.as_str(), ENCODED);
        let path = format!("/v2/accounts/{}/runs/{run}/artifacts/{path}", to.account_id);
        self.fetch_file(to, with_step(ApiRequest::file(path).with_headers(headers), step))
            .await
    }

    /// The results of the nodes of a step, decoded from one artifact of the run. The file has no envelope.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] also if the step produced none, [`ApiError::Decode`] if the file has
    /// another format.
    pub async fn get_run_results(
        &self,
        to: &Upstream,
        run: RunId,
        step: u32,
        file: ResultsFile,
    ) -> Result<ApiResponse<NodeResults>, ApiError> {
        let path = format!("/v2/accounts/{}/runs/{run}/artifacts/{}", to.account_id, file.path());
        let request = ApiRequest::get(path).header(ACCEPT, HeaderValue::from_static("*/*"));
        let answer = successful(collect::exchange(self, to, with_step(request, Some(step))).await?)?;
        Ok(ApiResponse {
            status: answer.status,
            data: decode_file(&answer, to).await?,
            bytes: answer.body.len() as u64,
        })
    }

    /// The latest artifact with that path among a job's runs: "Retrieve Job Artifact",
    /// `GET /v2/accounts/{account_id}/jobs/{job_id}/artifacts/{path}`. There is no `step` here.
    ///
    /// # Errors
    /// As [`Self::fetch_file`](#method.fetch_file).
    pub async fn get_job_artifact(
        &self,
        to: &Upstream,
        job: JobId,
        path: &ArtifactPath,
        headers: &HeaderMap,
    ) -> Result<ApiResponse<ApiAnswer>, ApiError> {
        let path = utf8_percent_encode(path.as_str(), ENCODED);
        let path = format!("/v2/accounts/{}/jobs/{job}/artifacts/{path}", to.account_id);
        self.fetch_file(to, ApiRequest::file(path).with_headers(headers)).await
    }
}

fn with_step(request: ApiRequest, step: Option<u32>) -> ApiRequest {
    match step {
        Some(step) => request.query("step", &step),
        None => request,
    }
}
