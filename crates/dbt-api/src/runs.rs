//! Runs, by the Administrative API v2.

use model::{Run, RunId, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One run: "Retrieve Run", `GET /v2/accounts/{account_id}/runs/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] where there is none, where the token may not see it, and for a
    /// moment after the run was started.
    pub async fn get_run(&self, to: &Upstream, id: RunId) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/runs/{id}/", to.account_id));
        self.fetch(to, request).await
    }
}
