//! Environments: version 3 lists them by project, and only version 2 lists those of an account.

use model::{Environment, EnvironmentFilter, EnvironmentId, Listed, ProjectId, Slice, Upstream};
use serde_json::json;

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One of dbt Cloud's pages of environments: of one project "List Environments",
    /// `GET /v3/accounts/{account_id}/projects/{project_id}/environments/`; else all of the account by version 2,
    /// `GET /v2/accounts/{account_id}/environments/`, whose filters are fewer: what is then missing stands in
    /// [`EnvironmentFilter::unsupported`].
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] for a project that there is not.
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
            request = of_version_3(request, filter);
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

    /// One environment: of a named project `GET /v3/accounts/{account_id}/projects/{project_id}/environments/{id}/`
    /// ("Retrieve an Environment"), else version 2's `GET /v2/accounts/{account_id}/environments/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] where there is none, or the token may not see it.
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

/// The filters that only version 3 has.
fn of_version_3(mut request: ApiRequest, filter: &EnvironmentFilter) -> ApiRequest {
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
