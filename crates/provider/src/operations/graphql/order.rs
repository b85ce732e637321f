//! The order of a Semantic Layer table: dbt Cloud wants to know of each name whether it is a metric or a dimension, and of a
//! time dimension its grain. Those of a saved query are looked up.

use dbt_api::ApiError;
use http::StatusCode;
use model::{GraphqlEffect, GraphqlQuery, GroupBy, OrderBy, SemanticQuery};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

const SAVED_QUERIES: &str = "query ($environmentId: BigInt!) { savedQueries(environmentId: $environmentId) { \
    name queryParams { metrics { name } groupBy { name grain } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedQueriesWire {
    saved_queries: Vec<SavedQueryWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedQueryWire {
    name: String,
    query_params: ParamsWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParamsWire {
    metrics: Vec<NameWire>,
    group_by: Vec<GroupByWire>,
}

#[derive(Deserialize)]
struct NameWire {
    name: String,
}

#[derive(Deserialize)]
struct GroupByWire {
    name: String,
    grain: Option<String>,
}

/// What a query can be ordered by.
struct Names {
    metrics: Vec<String>,
    group_by: Vec<GroupBy>,
}

/// dbt Cloud's form of the query's order.
///
/// # Errors
/// [`ProviderError::Order`]; those of the look-up.
pub(super) async fn order_by(call: &Call, query: &SemanticQuery) -> Result<Vec<Value>, ProviderError> {
    let mut names = Names {
        metrics: query.metrics.clone(),
        group_by: query.group_by.clone(),
    };
    if let Some(saved) = query.saved_query.as_ref().filter(|_| !query.order_by.is_empty()) {
        names.add(saved_query(call, query, saved).await?);
    }
    query.order_by.iter().map(|order| names.form_of(order)).collect()
}

/// The contents of the saved query; nothing if dbt Cloud lists none of that name, which it then refuses itself.
async fn saved_query(call: &Call, query: &SemanticQuery, name: &str) -> Result<Option<ParamsWire>, ProviderError> {
    let environment = json!(query.environment_id.0.to_string());
    let list = GraphqlQuery {
        query: SAVED_QUERIES.to_owned(),
        variables: [("environmentId".to_owned(), environment)].into_iter().collect(),
        operation_name: None,
        effect: GraphqlEffect::Reads,
    };
    let answer = call.ask_semantic_layer(&list, Why::LookUp).await?;
    let listed: SavedQueriesWire = serde_json::from_value(answer).map_err(|error| {
        ProviderError::Api(ApiError::Decode {
            status: StatusCode::OK,
            source: error.into(),
        })
    })?;
    let saved = listed.saved_queries.into_iter().find(|saved| saved.name == name);
    Ok(saved.map(|saved| saved.query_params))
}

impl Names {
    fn add(&mut self, saved: Option<ParamsWire>) {
        let Some(ParamsWire { metrics, group_by }) = saved else {
            return;
        };
        self.metrics.extend(metrics.into_iter().map(|metric| metric.name));
        let group_by = group_by.into_iter();
        self.group_by
            .extend(group_by.map(|GroupByWire { name, grain }| GroupBy { name, grain }));
    }

    fn form_of(&self, order: &OrderBy) -> Result<Value, ProviderError> {
        let OrderBy {
            name,
            grain,
            descending,
        } = order;
        // Columns of tables are in capitals.
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        if let Some(metric) = self.metrics.iter().find(|metric| same(metric)) {
            if grain.is_some() {
                return Err(ProviderError::Order(format!(
                    "`{name}` is a metric, which has no grain"
                )));
            }
            return Ok(json!({"metric": {"name": metric}, "descending": descending}));
        }
        let mut of_name: Vec<&GroupBy> = self.group_by.iter().filter(|each| same(&each.name)).collect();
        of_name.dedup();
        if let (Some(wanted), false) = (grain, of_name.is_empty()) {
            let is_it = |each: &&GroupBy| {
                each.grain
                    .as_ref()
                    .is_some_and(|grain| grain.eq_ignore_ascii_case(wanted))
            };
            of_name.retain(is_it);
            if of_name.is_empty() {
                let why = format!("`group_by` does not have `{name}` with the grain `{wanted}`");
                return Err(ProviderError::Order(why));
            }
        }
        let by = match of_name[..] {
            // dbt Cloud refuses it in its own words.
            [] => GroupBy {
                name: name.clone(),
                grain: grain.clone(),
            },
            [only] => only.clone(),
            [..] => {
                let why = format!("`group_by` has several grains of `{name}`: name one of them in `grain`");
                return Err(ProviderError::Order(why));
            }
        };
        Ok(json!({"groupBy": by, "descending": descending}))
    }
}
