//! Projects, by the Administrative API v3 (deprecated in v2).

use model::{Listed, Project, ProjectFilter, ProjectId, Slice, StateFilter, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One page of projects: "List Projects", `GET /v3/accounts/{account_id}/projects/`.
    ///
    /// dbt Cloud cannot filter by exact name. `filter.name` is sent as a case-insensitive substring, unless
    /// `filter.name_contains` is set; the caller must compare the names in the answer.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] for an account that the token may not see.
    pub async fn list_projects(
        &self,
        to: &Upstream,
        filter: &ProjectFilter,
        slice: Slice,
    ) -> Result<ApiResponse<Listed<Project>>, ApiError> {
        let mut request = ApiRequest::list(format!("/v3/accounts/{}/projects/", to.account_id), slice);
        request = request.query_some(
            "name__icontains",
            filter.name_contains.as_ref().or(filter.name.as_ref()),
        );
        request = request
            .query_some("state", filter.state.map(StateFilter::as_str))
            .query_some("order_by", filter.order_by.as_ref());
        self.fetch_list(to, request, slice).await
    }

    /// One project: "Retrieve Project", `GET /v3/accounts/{account_id}/projects/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if there is none, or the token may not see it.
    pub async fn get_project(&self, to: &Upstream, id: ProjectId) -> Result<ApiResponse<Project>, ApiError> {
        let request = ApiRequest::get(format!("/v3/accounts/{}/projects/{id}/", to.account_id));
        self.fetch(to, request).await
    }
}
