//! dbt Cloud's GraphQL APIs.

use model::{GraphqlQuery, RequestType, SemanticQuery, Table, Target};
use serde_json::Value;

use crate::{ClientError, DbtClient};

crate::operations! {
    /// The `data` of a query of the Discovery API. If `gather` names a list in the answer (`environment.applied.models`),
    /// all its pages are read and joined.
    QueryMetadata => query_metadata(query: GraphqlQuery, gather: Option<String>) -> Value;
    /// The `data` of a query of the Semantic Layer API, sent unchanged.
    QuerySemanticLayer => query_semantic_layer(query: GraphqlQuery) -> Value;
}

impl DbtClient {
    /// A table of the Semantic Layer. Waits for it up to the deadline in the settings.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn query_semantic_layer_table(
        self,
        target: impl Into<Target>,
        query: SemanticQuery,
    ) -> Result<Table, ClientError> {
        let (provider, ctx) = self.admit(RequestType::QuerySemanticLayer, target).await?;
        Ok(provider.query_semantic_layer_table(ctx, query).await?)
    }
}
