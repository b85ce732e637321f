//! Runs that pick up where another failed, by the Administrative API v2.

use model::{JobId, RetryPlan, Run, RunId, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// What a retry of the run would run: "Retrieve Run Failure Details",
    /// `GET /v2/accounts/{account_id}/runs/{run_id}/retry/`.
    ///
    /// # Errors
    /// Every [`ApiError`]. What dbt Cloud answers for a run that has not failed is not documented.
    pub async fn get_retry_preview(
        &self,
        to: &Upstream,
        id: RunId,
    ) -> Result<ApiResponse<Option<RetryPlan>>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/runs/{id}/retry/", to.account_id));
        self.fetch(to, request).await
    }

    /// Starts a run from where that one failed: "Retry Run", `POST /v2/accounts/{account_id}/runs/{run_id}/retry/`.
    /// Answers the new run. Only the latest run of a job can be retried, and only when it failed.
    ///
    /// Not idempotent: nobody sends it a second time.
    ///
    /// # Errors
    /// Every [`ApiError`]. After [`ApiError::Timeout`], [`ApiError::Disconnected`], [`ApiError::Decode`],
    /// [`ApiError::TooLarge`] or a 5xx the run may have started all the same.
    pub async fn retry_run(&self, to: &Upstream, id: RunId) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/runs/{id}/retry/", to.account_id));
        self.fetch(to, request).await
    }

    /// Starts a run of a job from where its latest one failed, and a new run where that one did not: "Retry Failed
    /// Job", `POST /v2/accounts/{account_id}/jobs/{job_id}/rerun/`. Answers the new run.
    ///
    /// Not idempotent: nobody sends it a second time.
    ///
    /// # Errors
    /// As [`Self::retry_run`](#method.retry_run).
    pub async fn rerun_job(&self, to: &Upstream, job: JobId) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/jobs/{job}/rerun/", to.account_id));
        self.fetch(to, request).await
    }
}
