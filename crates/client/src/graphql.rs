//! dbt Cloud's GraphQL APIs.

use model::{Effect, GraphqlQuery, RequestType, SemanticQuery, Table, Target};
use serde_json::Value;

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// The `data` of a query or mutation of the Discovery API, by the query's `effect`. If `gather` names a list in the
    /// answer to a query (`environment.applied.models`), all its pages are read and joined.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn query_metadata(
        self,
        target: impl Into<Target>,
        query: GraphqlQuery,
        gather: Option<String>,
    ) -> Result<Value, ClientError> {
        let request_type = match query.effect.effect() {
            Effect::Read => RequestType::QueryMetadata,
            Effect::Change => RequestType::MutateMetadata,
        };
        let (provider, ctx) = self.admit(request_type, target).await?;
        Ok(provider.query_metadata(ctx, query, gather).await?)
    }

    /// The `data` of a query or mutation of the Semantic Layer API, by the query's `effect`, sent unchanged.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn query_semantic_layer(
        self,
        target: impl Into<Target>,
        query: GraphqlQuery,
    ) -> Result<Value, ClientError> {
        let request_type = match query.effect.effect() {
            Effect::Read => RequestType::QuerySemanticLayer,
            Effect::Change => RequestType::MutateSemanticLayer,
        };
        let (provider, ctx) = self.admit(request_type, target).await?;
        Ok(provider.query_semantic_layer(ctx, query).await?)
    }

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
