//! dbt Cloud's GraphQL APIs: Discovery and the Semantic Layer.

mod csv;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use dbt_routes::{DbtApi, GraphqlLimits};
use garde::Validate;
use model::{EnvironmentId, GraphqlEffect, GraphqlQuery, GroupBy, OrderBy, SemanticQuery, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
const MAX_NAMES: usize = 100;

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

/// A query of the Semantic Layer API: a GraphQL `query`, or the contents of a table.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "environment_id": 70_403_103_930_001_i64, "metrics": ["revenue"],
    "group_by": [{"name": "metric_time", "grain": "DAY"}], "order_by": [{"name": "metric_time"}], "limit": 100
}))]
struct QuerySemanticLayer {
    /// A GraphQL document, sent as it is; the answer is its `data`.
    #[serde(default)]
    #[garde(inner(length(min = 1)))]
    #[schema(min_length = 1, format = "graphql")]
    query: Option<String>,
    /// Values for the document's variables, by name.
    #[serde(default)]
    #[garde(skip)]
    variables: Map<String, Value>,
    /// Which of the document's operations, where it has several.
    #[serde(default)]
    #[garde(skip)]
    operation_name: Option<String>,
    /// The environment of the metrics, instead of a document.
    #[serde(default)]
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    environment_id: Option<i64>,
    /// Names of metrics, at most 100.
    #[serde(default)]
    #[garde(length(max = MAX_NAMES))]
    #[schema(max_items = 100)]
    metrics: Vec<String>,
    /// Dimensions and entities, at most 100.
    #[serde(default)]
    #[garde(length(max = MAX_NAMES))]
    #[schema(max_items = 100)]
    group_by: Vec<GroupBy>,
    /// Conditions, at most 100, all of which must hold: `{{ Dimension('order__status') }} = 'completed'`.
    #[serde(default, rename = "where")]
    #[garde(length(max = MAX_NAMES))]
    #[schema(max_items = 100)]
    conditions: Vec<String>,
    /// The order.
    #[serde(default)]
    #[garde(length(max = MAX_NAMES))]
    #[schema(max_items = 100)]
    order_by: Vec<OrderBy>,
    /// The maximum number of rows.
    #[serde(default)]
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    limit: Option<u32>,
    /// The name of a saved query, instead of metrics.
    #[serde(default)]
    #[garde(inner(length(min = 1)))]
    #[schema(min_length = 1)]
    saved_query: Option<String>,
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
    match body.split()? {
        Question::Document(mut query) => {
            let name = query.operation_name.as_deref();
            query.effect = effect_of(&state.settings.graphql, DbtApi::SemanticLayer, &query.query, name)?;
            let data = client.query_semantic_layer(scope, query).await?;
            Ok(Json(SemanticLayerAnswer::Data(GraphqlAnswer { data })).into_response())
        }
        Question::Table(query) => {
            let table = client.query_semantic_layer_table(scope, query).await?;
            if wants_csv(&headers) {
                let csv = csv::csv(&table).map_err(|error| Problem::internal(error.to_string()))?;
                return Ok(([(header::CONTENT_TYPE, CSV)], csv).into_response());
            }
            Ok(Json(SemanticLayerAnswer::Table(table)).into_response())
        }
    }
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

enum Question {
    Document(GraphqlQuery),
    Table(SemanticQuery),
}

impl QuerySemanticLayer {
    fn split(self) -> Result<Question, Problem> {
        let invalid = |why: &str| Err(Problem::new(Kind::INVALID_REQUEST, format!("In the body: {why}.")));
        let (asks_table, has_variables) = (
            self.asks_table(),
            !self.variables.is_empty() || self.operation_name.is_some(),
        );
        match (self.query, self.environment_id) {
            (Some(_), Some(_)) => invalid("give `query` or `environment_id`, not both"),
            (Some(_), None) if asks_table => invalid("beside `query` there are only `variables` and `operation_name`"),
            (Some(query), None) => Ok(Question::Document(GraphqlQuery {
                query,
                variables: self.variables,
                operation_name: self.operation_name,
                // Judged by the caller.
                effect: GraphqlEffect::Changes,
            })),
            (None, None) => invalid("give `query`, or `environment_id` with `metrics` or `saved_query`"),
            (None, Some(_)) if has_variables => invalid("`variables` and `operation_name` go with `query`"),
            (None, Some(_)) if self.metrics.is_empty() == self.saved_query.is_none() => {
                invalid("beside `environment_id` give `metrics` or `saved_query`, not both")
            }
            (None, Some(environment)) => Ok(Question::Table(SemanticQuery {
                environment_id: EnvironmentId(environment),
                metrics: self.metrics,
                group_by: self.group_by,
                conditions: self.conditions,
                order_by: self.order_by,
                limit: self.limit,
                saved_query: self.saved_query,
            })),
        }
    }

    fn asks_table(&self) -> bool {
        let lists = [
            self.metrics.is_empty(),
            self.group_by.is_empty(),
            self.conditions.is_empty(),
            self.order_by.is_empty(),
        ];
        lists.contains(&false) || self.limit.is_some() || self.saved_query.is_some()
    }
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
