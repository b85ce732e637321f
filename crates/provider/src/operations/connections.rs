//! Connections.

use dbt_api::WrappedApi;
use model::{ClientContext, Connection, ConnectionFilter, ConnectionId, Page, PageQuery};

use crate::engine::args;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// A page of the account's connections.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_connections(
        &self,
        ctx: ClientContext,
        filter: ConnectionFilter,
        page: PageQuery,
    ) -> Result<Page<Connection>, ProviderError> {
        self.provider_request(ctx, args!(filter, page), move |call| async move {
            call.gather(page, &filter, <dyn WrappedApi>::list_connections).await
        })
        .await
    }

    /// One connection.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_connection(
        &self,
        ctx: ClientContext,
        connection_id: ConnectionId,
    ) -> Result<Connection, ProviderError> {
        self.provider_request(ctx, args!(connection_id), move |call| async move {
            call.ask(move |api, to| api.get_connection(to, connection_id)).await
        })
        .await
    }
}
