//! dbt Cloud's GraphQL APIs: Discovery ("metadata") and the Semantic Layer.
//!
//! Both answer 200 even on failure, and some failures with a 4xx or 5xx; `errors` describes it, beside partial `data`.

use http::StatusCode;
use model::{ClientType, GraphqlQuery, Upstream};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::collect::Collected;
use crate::envelope::Head;
use crate::response::{decode, decode_file, error_of, failed, null_data};
use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi, collect};

/// The Semantic Layer's message for a refused token, with any status.
const NOT_AUTHORIZED: &str = "User is not authorized";

#[derive(Deserialize)]
struct GraphqlWire {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Value,
    /// Of a refusal in the envelope of the Administrative API.
    status: Option<Box<RawValue>>,
    error_code: Option<Box<RawValue>>,
}

impl GraphqlWire {
    /// The errors and the partial result, if there are errors. Servers may send one error without a list.
    fn errors(&mut self) -> Option<(Vec<Value>, Value)> {
        let errors = match self.errors.take() {
            Value::Null => Vec::new(),
            Value::Array(errors) => errors,
            error => vec![error],
        };
        (!errors.is_empty()).then(|| (errors, self.data.take()))
    }
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
        let is_semantic_layer = request.api() == ClientType::DbtCloudSemanticLayer;
        let answer = collect::exchange(self, to, request).await?;
        if !answer.status.is_success() {
            return Err(error_of_status(&answer).await);
        }
        let mut wire: GraphqlWire = decode_file(&answer, to).await?;
        if !wire.errors.is_null() {
            // Decoded again without the token, which the errors may show.
            wire = decode(&collect::masked(&answer, to)).await?;
        }
        if let Some((errors, data)) = wire.errors() {
            return Err(match graphql_error(answer.status, errors, data) {
                ApiError::Graphql { message, .. } if is_semantic_layer && message == NOT_AUTHORIZED => {
                    let status = StatusCode::UNAUTHORIZED;
                    ApiError::Credentials { status, message }
                }
                error => error,
            });
        }
        if let Some(failure) = Head::new(wire.status.as_deref(), wire.error_code.as_deref()).failure() {
            return Err(failed(&answer, to, failure));
        }
        if wire.data.is_null() {
            return Err(null_data(answer.status));
        }
        Ok(ApiResponse {
            status: answer.status,
            data: wire.data,
            bytes: answer.body.len() as u64,
        })
    }
}

/// GraphQL errors are told as such with any status, except where the status says more: a refused token, the rate limit.
async fn error_of_status(answer: &Collected) -> ApiError {
    let says_more = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let wire = if says_more.contains(&answer.status) {
        None
    } else {
        decode::<GraphqlWire>(answer).await.ok()
    };
    match wire.and_then(|mut wire| wire.errors()) {
        Some((errors, data)) => graphql_error(answer.status, errors, data),
        None => error_of(answer),
    }
}

fn graphql_error(status: StatusCode, errors: Vec<Value>, data: Value) -> ApiError {
    const MAX_CHARS: usize = 1000;
    let first = errors
        .iter()
        .find_map(|error| error["message"].as_str().or_else(|| error.as_str()));
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
