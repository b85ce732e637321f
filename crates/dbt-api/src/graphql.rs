//! dbt Cloud's GraphQL APIs: Discovery ("metadata") and the Semantic Layer.
//!
//! Both answer 200 even on failure; `errors` describes it, beside partial `data`.

use http::StatusCode;
use model::{ClientType, GraphqlQuery, Upstream};
use serde::Deserialize;
use serde_json::Value;

use crate::response::{decode, successful};
use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi, collect};

#[derive(Deserialize)]
struct GraphqlWire {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Option<Vec<Value>>,
}

impl dyn WrappedApi {
    /// One query of the Discovery API: `POST /graphql`. Returns `data`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::Graphql`] if the answer has errors.
    pub async fn query_metadata(&self, to: &Upstream, query: &GraphqlQuery) -> Result<ApiResponse<Value>, ApiError> {
        let request = ApiRequest::post("/graphql".to_owned()).to(ClientType::DbtCloudMetadata);
        self.graphql(to, request.json(query)?).await
    }

    /// One query of the Semantic Layer API: `POST /api/graphql`. Returns `data`.
    ///
    /// # Errors
    /// As [`Self::query_metadata`](#method.query_metadata).
    pub async fn query_semantic_layer(
        &self,
        to: &Upstream,
        query: &GraphqlQuery,
    ) -> Result<ApiResponse<Value>, ApiError> {
        let request = ApiRequest::post("/api/graphql".to_owned()).to(ClientType::DbtCloudSemanticLayer);
        self.graphql(to, request.json(query)?).await
    }

    async fn graphql(&self, to: &Upstream, request: ApiRequest) -> Result<ApiResponse<Value>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let GraphqlWire { data, errors } = decode(&answer).await?;
        match errors {
            Some(errors) if !errors.is_empty() => Err(graphql_error(answer.status, errors, data)),
            _ => Ok(ApiResponse {
                status: answer.status,
                data,
                bytes: answer.body.len() as u64,
            }),
        }
    }
}

fn graphql_error(status: StatusCode, errors: Vec<Value>, data: Value) -> ApiError {
    const MAX_CHARS: usize = 1000;
    let first = errors.iter().find_map(|error| error["message"].as_str());
    let text = first.unwrap_or("it does not say why").chars();
    ApiError::Graphql {
        status,
        message: text
            .filter(|character| !character.is_control())
            .take(MAX_CHARS)
            .collect(),
        errors,
        data,
    }
}
