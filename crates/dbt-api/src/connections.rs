//! Connections of an account, by the Administrative API v3.

use model::{Connection, ConnectionFilter, ConnectionId, Listed, Slice, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One of dbt Cloud's pages of connections: "List Account Connections", `GET /v3/accounts/{account_id}/connections/`.
    /// `filter.name` narrows it as part of the name, unless `filter.name_contains` does.
    ///
    /// # Errors
    /// Every [`ApiError`].
    pub async fn list_connections(
        &self,
        to: &Upstream,
        filter: &ConnectionFilter,
        slice: Slice,
    ) -> Result<ApiResponse<Listed<Connection>>, ApiError> {
        let request = ApiRequest::list(format!("/v3/accounts/{}/connections/", to.account_id), slice)
            .query_some(
                "name__icontains",
                filter.name_contains.as_ref().or(filter.name.as_ref()),
            )
            .query_some("adapter_version", filter.adapter_version.as_ref());
        self.fetch_list(to, request, slice).await
    }

    /// One connection: "Retrieve Account Connection", `GET /v3/accounts/{account_id}/connections/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if it does not exist or the token may not see it.
    pub async fn get_connection(&self, to: &Upstream, id: ConnectionId) -> Result<ApiResponse<Connection>, ApiError> {
        let request = ApiRequest::get(format!("/v3/accounts/{}/connections/{id}/", to.account_id));
        self.fetch(to, request).await
    }
}
