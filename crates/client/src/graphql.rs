//! dbt Cloud's GraphQL APIs.

use model::{GraphqlQuery, RequestType, SemanticQuery, Table, Target};
use serde_json::Value;

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// A question to the Discovery API; its `data`. Where `gather` names a list in the answer
    /// (`environment.applied.models`), all its pages are read and joined.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn query_metadata(
        self,
        target: impl Into<Target>,
        query: GraphqlQuery,
        gather: Option<String>,
    ) -> Result<Value, ClientError> {
        let (provider, ctx) = self.admit(RequestType::QueryMetadata, target).await?;
        Ok(provider.query_metadata(ctx, query, gather).await?)
    }

    /// A question to the Semantic Layer API, as it is; its `data`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn query_semantic_layer(
        self,
        target: impl Into<Target>,
        query: GraphqlQuery,
    ) -> Result<Value, ClientError> {
        let (provider, ctx) = self.admit(RequestType::QuerySemanticLayer, target).await?;
        Ok(provider.query_semantic_layer(ctx, query).await?)
    }

    /// A question to the Semantic Layer that a table answers. Waits for it as long as the settings say.
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
