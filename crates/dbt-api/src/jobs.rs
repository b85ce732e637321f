//! Jobs (definitions, not their executions), by the Administrative API v2.

use model::{JobId, Run, TriggerJob, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// Starts a run: "Trigger Job Run", `POST /v2/accounts/{account_id}/jobs/{job_id}/run/`. Answers the new run,
    /// queued. `GET` of that run may answer 404 for a moment.
    ///
    /// Not idempotent: every call that reaches dbt Cloud starts a run, so nobody sends it a second time.
    ///
    /// # Errors
    /// Every [`ApiError`]. After [`ApiError::Timeout`], [`ApiError::Disconnected`], [`ApiError::Decode`],
    /// [`ApiError::TooLarge`] or a 5xx the run may have started all the same.
    pub async fn trigger_job(
        &self,
        to: &Upstream,
        job: JobId,
        order: &TriggerJob,
    ) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/jobs/{job}/run/", to.account_id)).json(order)?;
        self.fetch(to, request).await
    }
}
