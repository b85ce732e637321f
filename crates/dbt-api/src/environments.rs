//! Environments: v3 lists those of a project, only v2 lists those of an account.

use model::{
    Environment, EnvironmentFilter, EnvironmentId, EnvironmentType, Listed, ProjectId, Slice, StateFilter, Upstream,
};
use serde_json::json;

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One page of environments. If the filter has one project: "List Environments",
    /// `GET /v3/accounts/{account_id}/projects/{project_id}/environments/`. Else v2's
    /// `GET /v2/accounts/{account_id}/environments/`, which does not support [`EnvironmentFilter::unsupported`].
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if there is no such project.
    pub async fn list_environments(
        &self,
        to: &Upstream,
        filter: &EnvironmentFilter,
        slice: Slice,
    ) -> Result<ApiResponse<Listed<Environment>>, ApiError> {
        let account = to.account_id;
        let path = match filter.only_project() {
            Some(project) => format!("/v3/accounts/{account}/projects/{project}/environments/"),
            None => format!("/v2/accounts/{account}/environments/"),
        };
        let mut request = ApiRequest::list(path, slice);
        if filter.only_project().is_some() {
            request = with_v3_filters(request, filter);
        } else if !filter.project_id.is_empty() {
            request = request.query("project_id__in", &json!(filter.project_id));
        }
        if !filter.dbt_version.is_empty() {
            request = request.query("dbt_version__in", &json!(filter.dbt_version));
        }
        request = request
            .query_some("state", filter.state.map(StateFilter::as_str))
            .query_some("order_by", filter.order_by.as_ref());
        self.fetch_list(to, request, slice).await
    }

    /// One environment. With a project: `GET /v3/accounts/{account_id}/projects/{project_id}/environments/{id}/`
    /// ("Retrieve an Environment"). Else v2's `GET /v2/accounts/{account_id}/environments/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if there is none, or the token may not see it.
    pub async fn get_environment(
        &self,
        to: &Upstream,
        id: EnvironmentId,
        project: Option<ProjectId>,
    ) -> Result<ApiResponse<Environment>, ApiError> {
        let account = to.account_id;
        let path = match project {
            Some(project) => format!("/v3/accounts/{account}/projects/{project}/environments/{id}/"),
            None => format!("/v2/accounts/{account}/environments/{id}/"),
        };
        self.fetch(to, ApiRequest::get(path)).await
    }
}

/// The filters that only v3 has.
fn with_v3_filters(mut request: ApiRequest, filter: &EnvironmentFilter) -> ApiRequest {
    request = request
        .query_some("name", filter.name.as_ref())
        .query_some("name__icontains", filter.name_contains.as_ref());
    if !filter.deployment_type.is_empty() {
        request = request.query("deployment_type__in", &json!(filter.deployment_type));
    }
    request
        .query_some("type", filter.environment_type.map(EnvironmentType::as_str))
        .query_some("credentials_id", filter.credentials_id.as_ref())
}
