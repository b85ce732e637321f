//! A table of the Semantic Layer: creates the query, polls it, reads its pages.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use dbt_api::ApiError;
use http::StatusCode;
use model::{Column, GraphqlEffect, GraphqlQuery, SemanticQuery, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::order;
use crate::engine::Call;
use crate::exchanges::Why;
use crate::{GraphqlSettings, ProviderError};

const CREATE: &str = "mutation ($environmentId: BigInt!, $metrics: [MetricInput!], $groupBy: [GroupByInput!], \
    $where: [WhereInput!], $orderBy: [OrderByInput!], $limit: Int, $savedQuery: String) { \
    createQuery(environmentId: $environmentId, metrics: $metrics, groupBy: $groupBy, where: $where, \
    orderBy: $orderBy, limit: $limit, savedQuery: $savedQuery) { queryId } }";

const READ: &str = "query ($environmentId: BigInt!, $queryId: String!, $pageNum: Int!) { \
    query(environmentId: $environmentId, queryId: $queryId, pageNum: $pageNum) { \
    status error totalPages jsonResult(encoded: false) } }";

#[derive(Debug, thiserror::Error)]
#[error("the query did not end within {0:?}")]
struct QueryTimeout(Duration);

/// The state of a query, and one page of its result.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryState {
    status: String,
    error: Option<String>,
    total_pages: Option<u64>,
    json_result: Option<String>,
}

/// A page of the result, in the format of a data frame.
#[derive(Deserialize)]
struct Frame {
    schema: Schema,
    data: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    fields: Vec<Field>,
    /// The columns with row numbers, which the query did not request.
    #[serde(default)]
    primary_key: Vec<String>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

pub(super) async fn query_table(
    call: &Call,
    query: &SemanticQuery,
    settings: GraphqlSettings,
) -> Result<Table, ProviderError> {
    let deadline = Instant::now() + settings.deadline;
    let order_by = order::order_by(call, query).await?;
    let created = call
        .ask_semantic_layer(&create_query(query, &order_by), Why::Asked)
        .await?;
    let id = &created["createQuery"]["queryId"];
    if !id.is_string() {
        return Err(unreadable("createQuery returned no queryId"));
    }
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(settings.poll_min)
        .with_max_delay(settings.poll_max)
        .with_factor(1.5)
        .with_jitter()
        .without_max_times()
        .build();
    let first = loop {
        let pause = pauses.next().unwrap_or(settings.poll_max);
        if Instant::now() + pause > deadline {
            return Err(ProviderError::Api(ApiError::Timeout {
                status: None,
                source: QueryTimeout(settings.deadline).into(),
            }));
        }
        sleep(pause).await;
        let state = query_state(call.ask_semantic_layer(&read_query(query, id, 1), Why::Poll).await?)?;
        match state.status.as_str() {
            "SUCCESSFUL" => break state,
            "FAILED" => return Err(failed(state.error)),
            // PENDING, COMPILED, RUNNING, or a status added later.
            _ => {}
        }
    };

    let pages = first
        .total_pages
        .ok_or_else(|| unreadable("a finished query has no totalPages"))?;
    if pages > settings.max_pages as u64 {
        return Err(ProviderError::TooMuch("graphql.max_pages"));
    }
    let mut table = Table::default();
    append(&mut table, first)?;
    for page in 2..=pages {
        let read = read_query(query, id, page);
        let state = query_state(call.ask_semantic_layer(&read, Why::NextPage).await?)?;
        match state.status.as_str() {
            "SUCCESSFUL" => {}
            "FAILED" => return Err(failed(state.error)),
            _ => return Err(unreadable("a finished query is unfinished again")),
        }
        if state.total_pages.is_some_and(|now| now != pages) {
            return Err(unreadable("the number of pages of a finished query has changed"));
        }
        let before = table.rows.len();
        append(&mut table, state)?;
        if table.rows.len() == before {
            return Err(unreadable("a page of a finished query has no rows"));
        }
    }
    Ok(table)
}

fn create_query(query: &SemanticQuery, order_by: &[Value]) -> GraphqlQuery {
    let by_name = |name: &String| json!({ "name": name });
    let variables = json!({
        "environmentId": query.environment_id.0.to_string(),
        "metrics": query.metrics.iter().map(by_name).collect::<Value>(),
        "groupBy": query.group_by,
        "where": query.conditions.iter().map(|sql| json!({ "sql": sql })).collect::<Value>(),
        "orderBy": order_by,
        "limit": query.limit,
        "savedQuery": query.saved_query,
    });
    graphql_query(CREATE, GraphqlEffect::CreatesQuery, variables)
}

fn read_query(query: &SemanticQuery, id: &Value, page: u64) -> GraphqlQuery {
    let environment = query.environment_id.0.to_string();
    graphql_query(
        READ,
        GraphqlEffect::Reads,
        json!({"environmentId": environment, "queryId": id, "pageNum": page}),
    )
}

/// The query without variables that are null or empty.
fn graphql_query(text: &str, effect: GraphqlEffect, variables: Value) -> GraphqlQuery {
    let variables = match variables {
        Value::Object(variables) => variables,
        _ => Map::new(),
    };
    let is_set = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    GraphqlQuery {
        query: text.to_owned(),
        variables: variables.into_iter().filter(|(_, value)| is_set(value)).collect(),
        operation_name: None,
        effect,
    }
}

fn query_state(mut data: Value) -> Result<QueryState, ProviderError> {
    serde_json::from_value(data["query"].take()).map_err(unreadable)
}

fn append(table: &mut Table, state: QueryState) -> Result<(), ProviderError> {
    let text = state
        .json_result
        .ok_or_else(|| unreadable("a finished query has no jsonResult"))?;
    let Frame { schema, data } = serde_json::from_str(&text).map_err(unreadable)?;
    if table.columns.is_empty() {
        let is_requested = |field: &Field| !schema.primary_key.contains(&field.name);
        table.columns = schema
            .fields
            .into_iter()
            .filter(is_requested)
            .map(|Field { name, kind }| Column { name, kind })
            .collect();
    }
    for mut row in data {
        let values = table.columns.iter().map(|column| row.remove(&column.name));
        let row: Option<Vec<Value>> = values.collect();
        table
            .rows
            .push(row.ok_or_else(|| unreadable("a row lacks a column of the first page"))?);
    }
    Ok(())
}

fn failed(error: Option<String>) -> ProviderError {
    let message = error.unwrap_or_else(|| "the query failed".to_owned());
    ProviderError::Api(ApiError::Graphql {
        status: StatusCode::OK,
        errors: vec![json!({ "message": message })],
        data: Value::Null,
        message,
    })
}

fn unreadable(why: impl Into<dbt_api::Cause>) -> ProviderError {
    ProviderError::Api(ApiError::Decode {
        status: StatusCode::OK,
        source: why.into(),
    })
}
