//! Queries of dbt Cloud's GraphQL APIs; gathered pages and Semantic Layer tables take several exchanges.

mod exchange;
mod gather;
mod order;
mod table;

use model::{ClientContext, GraphqlQuery, SemanticQuery, Table};
use serde_json::Value;

use crate::engine::args;
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// A query of the Discovery API. If `gather` names a list in the answer (`environment.applied.models`), all its pages
    /// are read and joined: the list is whole or an error.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::Gathering`], [`ProviderError::TooMuch`].
    pub async fn query_metadata(
        &self,
        ctx: ClientContext,
        query: GraphqlQuery,
        gather: Option<String>,
    ) -> Result<Value, ProviderError> {
        let max_pages = self.settings.graphql.max_pages;
        self.provider_request(ctx, args!(query, gather), move |call| async move {
            match gather {
                None => call.ask_metadata(&query, Why::Asked).await,
                Some(list) => gather::all_pages(&call, query, &list, max_pages).await,
            }
        })
        .await
    }

    /// A query of the Semantic Layer API, sent unchanged.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn query_semantic_layer(&self, ctx: ClientContext, query: GraphqlQuery) -> Result<Value, ProviderError> {
        self.provider_request(ctx, args!(query), move |call| async move {
            call.ask_semantic_layer(&query, Why::Asked).await
        })
        .await
    }

    /// A table of the Semantic Layer: creates the query, polls until it is done, reads all its pages.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::TooMuch`].
    pub async fn query_semantic_layer_table(
        &self,
        ctx: ClientContext,
        query: SemanticQuery,
    ) -> Result<Table, ProviderError> {
        let settings = self.settings.graphql;
        self.provider_request(ctx, args!(query), move |call| async move {
            table::query_table(&call, &query, settings).await
        })
        .await
    }
}
