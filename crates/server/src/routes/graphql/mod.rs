//! dbt Cloud's GraphQL APIs: Discovery and the Semantic Layer.

mod csv;
mod semantic;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use dbt_routes::{DbtApi, GraphqlLimits};
use garde::Validate;
use model::{GraphqlEffect, GraphqlQuery, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::semantic::QuerySemanticLayer;
use crate::extract::{Dbt, JsonBody, ScopedQuery};
use crate::json::Json;
use crate::problem::{Kind, Problem, refused_document};
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(query_metadata))
        .routes(routes!(query_semantic_layer))
}

const CSV: &str = "text/csv";

/// A query of the Discovery API.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "query": "query ($environmentId: BigInt!, $first: Int!, $after: String) { environment(id: $environmentId) { applied { models(first: $first, after: $after) { edges { node { name } } pageInfo { hasNextPage endCursor } } } } }",
    "variables": {"environmentId": 70_403_103_930_001_i64, "first": 500},
    "gather": "environment.applied.models"
}))]
struct QueryMetadata {
    /// The GraphQL document.
    #[garde(length(min = 1))]
    #[schema(min_length = 1, format = "graphql")]
    query: String,
    /// Values for its variables, by name.
    #[serde(default)]
    #[garde(skip)]
    variables: Map<String, Value>,
    /// Which of the document's operations, where it has several.
    #[serde(default)]
    #[garde(skip)]
    operation_name: Option<String>,
    /// A list in the answer, by its names with dots between: all its pages are read, by the query's variables `$first`
    /// (100 unless you give it; lists of an environment serve 500) and `$after`, and the answer holds the whole list.
    #[serde(default)]
    #[garde(inner(custom(is_place)))]
    #[schema(pattern = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
    gather: Option<String>,
}

/// Names of GraphQL with dots between.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn is_place(place: &str, (): &()) -> garde::Result {
    let is_name = |name: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(letters) && name.starts_with(|first: char| !first.is_ascii_digit())
    };
    if place.split('.').all(is_name) {
        Ok(())
    } else {
        Err(garde::Error::new(
            "names with dots between, such as environment.applied.models",
        ))
    }
}

/// The answer of GraphQL.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"data": {"environment": {"applied": {"models": {"edges": [{"node": {"name": "customers"}}]}}}}}))]
struct GraphqlAnswer {
    /// As the query selects it.
    #[schema(value_type = Object)]
    data: Value,
}

/// The answer of the Semantic Layer: the `data` of a document, or a table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({"columns": [{"name": "REVENUE", "type": "integer"}], "rows": [[101]]}))]
enum SemanticLayerAnswer {
    /// The answer to a document.
    Data(GraphqlAnswer),
    /// The answer to a query without one.
    Table(Table),
}

/// A table as CSV, with a header.
#[derive(ToSchema)]
#[schema(example = "METRIC_TIME,REVENUE\r\n2025-01-01T00:00:00.000,101\r\n")]
#[expect(dead_code, reason = "for the document alone")]
struct CsvTable(String);

/// Query the Discovery API
///
/// GraphQL. Errors in the answer are a problem `graphql-errors` with dbt's errors and the data that was returned.
/// A mutation is a change, and needs the role operator.
/// With `gather` all pages of one list are read and joined; the list is whole or an error.
#[utoipa::path(post, path = "/metadata/query", tag = "graphql", params(ScopedQuery),
    request_body = QueryMetadata,
    responses((status = 200, body = GraphqlAnswer)))]
async fn query_metadata(
    State(state): State<Shared>,
    Dbt(client): Dbt,
    ScopedQuery { scope, .. }: ScopedQuery,
    JsonBody(body): JsonBody<QueryMetadata>,
) -> Result<Json<GraphqlAnswer>, Problem> {
    let limits = state.settings.graphql;
    let effect = effect_of(&limits, DbtApi::Metadata, &body.query, body.operation_name.as_deref())?;
    if effect == GraphqlEffect::Changes && body.gather.is_some() {
        // Each page would send the document again.
        let detail = "In the body: `gather` is for queries, and `query` is a mutation. dbt Cloud was not contacted.";
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    }
    let query = GraphqlQuery {
        query: body.query,
        variables: body.variables,
        operation_name: body.operation_name,
        effect,
    };
    let data = client.query_metadata(scope, query, body.gather).await?;
    Ok(Json(GraphqlAnswer { data }))
}

/// Query the Semantic Layer API
///
/// A GraphQL document, answered by its `data`; or an environment with metrics, or with a saved query, answered by a
/// table: the gateway creates the query, waits until it is done (`graphql.deadline_secs`), and reads all its pages. The
/// table is JSON, or CSV with `Accept: text/csv`.
///
/// A mutation is a change, and needs the role operator, unless it only creates queries (`createQuery`,
/// `createDimensionValuesQuery`).
#[utoipa::path(post, path = "/semantic-layer/query", tag = "graphql", params(ScopedQuery),
    request_body = QuerySemanticLayer,
    responses((status = 200, content((SemanticLayerAnswer = "application/json"), (CsvTable = "text/csv")))))]
async fn query_semantic_layer(
    State(state): State<Shared>,
    Dbt(client): Dbt,
    headers: HeaderMap,
    ScopedQuery { scope, .. }: ScopedQuery,
    JsonBody(body): JsonBody<QuerySemanticLayer>,
) -> Result<Response, Problem> {
    let table = match body {
        QuerySemanticLayer::Document(document) => {
            let name = document.operation_name.as_deref();
            let effect = effect_of(&state.settings.graphql, DbtApi::SemanticLayer, &document.query, name)?;
            let data = client.query_semantic_layer(scope, document.with(effect)).await?;
            return Ok(Json(SemanticLayerAnswer::Data(GraphqlAnswer { data })).into_response());
        }
        QuerySemanticLayer::Metrics(query) => query.into(),
        QuerySemanticLayer::SavedQuery(query) => query.into(),
    };
    let table = client.query_semantic_layer_table(scope, table).await?;
    if wants_csv(&headers) {
        let csv = csv::csv(&table).map_err(|error| Problem::internal(error.to_string()))?;
        return Ok(([(header::CONTENT_TYPE, CSV)], csv).into_response());
    }
    Ok(Json(SemanticLayerAnswer::Table(table)).into_response())
}

/// What the document's operation does; a document that cannot be judged is refused.
fn effect_of(
    limits: &GraphqlLimits,
    api: DbtApi,
    document: &str,
    name: Option<&str>,
) -> Result<GraphqlEffect, Problem> {
    let judged = limits.judge(api, document, name);
    judged.map_err(|refused| refused_document(&refused))
}

fn wants_csv(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.flat_map(|list| list.split(',')).any(|kind| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(CSV))
    })
}
