//! Environments: v3 lists those of a project, only v2 lists those of an account.

use model::{Environment, EnvironmentFilter, EnvironmentId, Listed, ProjectId, Slice, Upstream};
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
        let mut request = ApiRequest::get(path)
            .query("limit", &slice.limit)
            .query("offset", &slice.offset);
        if filter.only_project().is_some() {
            request = with_v3_filters(request, filter);
        } else if !filter.project_id.is_empty() {
            request = request.query("project_id__in", &json!(filter.project_id));
        }
        if !filter.dbt_version.is_empty() {
            request = request.query("dbt_version__in", &json!(filter.dbt_version));
        }
        if let Some(state) = filter.state {
            request = request.query("state", state.as_str());
        }
        if let Some(order) = &filter.order_by {
            request = request.query("order_by", order);
        }
        self.fetch_list(to, request).await
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
    if let Some(name) = &filter.name {
        request = request.query("name", name);
    }
    if let Some(part) = &filter.name_contains {
        request = request.query("name__icontains", part);
    }
    if !filter.deployment_type.is_empty() {
        request = request.query("deployment_type__in", &json!(filter.deployment_type));
    }
    if let Some(kind) = filter.environment_type {
        request = request.query("type", kind.as_str());
    }
    if let Some(credentials) = filter.credentials_id {
        request = request.query("credentials_id", &credentials);
    }
    request
}
