//! Single exchanges with dbt Cloud's GraphQL APIs.

use model::GraphqlQuery;
use serde_json::Value;

use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

impl Call {
    pub(super) async fn ask_metadata(&self, query: &GraphqlQuery, why: Why) -> Result<Value, ProviderError> {
        let repeatable = query.effect.may_be_repeated();
        let answer = self.exchange_document(self.operation(), why, repeatable, move |api, to| {
            api.query_metadata(to, query)
        });
        Ok(answer.await?)
    }

    pub(super) async fn ask_semantic_layer(&self, query: &GraphqlQuery, why: Why) -> Result<Value, ProviderError> {
        let repeatable = query.effect.may_be_repeated();
        let answer = self.exchange_document(self.operation(), why, repeatable, move |api, to| {
            api.query_semantic_layer(to, query)
        });
        Ok(answer.await?)
    }
}
