//! Connections.

use dbt_api::WrappedApi;
use model::{ClientContext, Connection, ConnectionFilter, ConnectionId, PageQuery};

use crate::engine::args;
use crate::{DbtProvider, Listing, ProviderError};

impl DbtProvider {
    /// A page of the account's connections.
    ///
    /// # Errors
    /// [`ProviderError`]: until the page begins, a missing part is an error.
    pub async fn list_connections(
        &self,
        ctx: ClientContext,
        filter: ConnectionFilter,
        page: PageQuery,
    ) -> Result<Listing<Connection>, ProviderError> {
        let subject = args!(filter, page);
        self.provider_list(ctx, subject, page, filter, <dyn WrappedApi>::list_connections)
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
