//! A table of the Semantic Layer: made, waited for, and read page by page.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use dbt_api::ApiError;
use http::StatusCode;
use model::{Column, GraphqlQuery, SemanticQuery, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

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
#[error("the query was not done within {0:?}")]
struct NotDone(Duration);

/// What one look at a query shows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Look {
    status: String,
    error: Option<String>,
    total_pages: Option<u64>,
    json_result: Option<String>,
}

/// A page of the result, as data frames are written.
#[derive(Deserialize)]
struct Frame {
    schema: Schema,
    data: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    fields: Vec<Field>,
    /// The numbers of the rows, which nobody asked for.
    #[serde(default)]
    primary_key: Vec<String>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

pub(super) async fn of(call: &Call, asked: &SemanticQuery, settings: GraphqlSettings) -> Result<Table, ProviderError> {
    let until = Instant::now() + settings.deadline;
    let made = call.ask_semantic_layer(&create(asked), Why::Asked).await?;
    let id = &made["createQuery"]["queryId"];
    if !id.is_string() {
        return Err(unreadable("createQuery gave no queryId"));
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
        if Instant::now() + pause > until {
            return Err(ProviderError::Api(ApiError::Timeout {
                status: None,
                source: NotDone(settings.deadline).into(),
            }));
        }
        sleep(pause).await;
        let look = look(call.ask_semantic_layer(&read(asked, id, 1), Why::Poll).await?)?;
        match look.status.as_str() {
            "SUCCESSFUL" => break look,
            "FAILED" => return Err(failed(look.error)),
            // PENDING, COMPILED, RUNNING, and whatever dbt Cloud adds.
            _ => {}
        }
    };

    let pages = first.total_pages.unwrap_or(1);
    if pages > settings.max_pages as u64 {
        return Err(ProviderError::TooMuch("graphql.max_pages"));
    }
    let mut table = Table::default();
    append(&mut table, first)?;
    for page in 2..=pages {
        append(
            &mut table,
            look(call.ask_semantic_layer(&read(asked, id, page), Why::NextPage).await?)?,
        )?;
    }
    Ok(table)
}

fn create(asked: &SemanticQuery) -> GraphqlQuery {
    let named = |name: &String| json!({ "name": name });
    let order = asked.order_by.iter().map(|order| {
        let kind = if asked.metrics.contains(&order.name) {
            "metric"
        } else {
            "groupBy"
        };
        let grain = asked.group_by.iter().find(|each| each.name == order.name);
        let by = match grain.and_then(|each| each.grain.as_ref()).filter(|_| kind == "groupBy") {
            Some(grain) => json!({"name": order.name, "grain": grain}),
            None => named(&order.name),
        };
        json!({ kind: by, "descending": order.descending })
    });
    let variables = json!({
        "environmentId": asked.environment_id.0.to_string(),
        "metrics": asked.metrics.iter().map(named).collect::<Value>(),
        "groupBy": asked.group_by,
        "where": asked.conditions.iter().map(|sql| json!({ "sql": sql })).collect::<Value>(),
        "orderBy": order.collect::<Value>(),
        "limit": asked.limit,
        "savedQuery": asked.saved_query,
    });
    question(CREATE, variables)
}

fn read(asked: &SemanticQuery, id: &Value, page: u64) -> GraphqlQuery {
    let environment = asked.environment_id.0.to_string();
    question(
        READ,
        json!({"environmentId": environment, "queryId": id, "pageNum": page}),
    )
}

/// What is null or empty was not asked for.
fn question(text: &str, variables: Value) -> GraphqlQuery {
    let variables = match variables {
        Value::Object(variables) => variables,
        _ => Map::new(),
    };
    let is_asked = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    GraphqlQuery {
        query: text.to_owned(),
        variables: variables.into_iter().filter(|(_, value)| is_asked(value)).collect(),
        operation_name: None,
    }
}

fn look(mut data: Value) -> Result<Look, ProviderError> {
    serde_json::from_value(data["query"].take()).map_err(unreadable)
}

fn append(table: &mut Table, look: Look) -> Result<(), ProviderError> {
    let text = look
        .json_result
        .ok_or_else(|| unreadable("a finished query has no jsonResult"))?;
    let Frame { schema, data } = serde_json::from_str(&text).map_err(unreadable)?;
    if table.columns.is_empty() {
        let asked_for = |field: &Field| !schema.primary_key.contains(&field.name);
        table.columns = schema
            .fields
            .into_iter()
            .filter(asked_for)
            .map(|Field { name, kind }| Column { name, kind })
            .collect();
    }
    for mut row in data {
        let value = |column: &Column| row.remove(&column.name).unwrap_or_default();
        let row = table.columns.iter().map(value).collect();
        table.rows.push(row);
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

fn unreadable(why: impl Into<dbt_api::BoxError>) -> ProviderError {
    ProviderError::Api(ApiError::Decode {
        status: StatusCode::OK,
        source: why.into(),
    })
}
