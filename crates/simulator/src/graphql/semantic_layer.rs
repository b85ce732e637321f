//! The Semantic Layer API: the metrics of the recorded project, and queries that are compiled and run as time passes.

use std::sync::{LazyLock, Mutex, PoisonError};

use apollo_compiler::Schema;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::validation::Valid;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::execute::{execute, is_mutation, schema};
use super::node::{arguments, refuse, resolve};
use super::request::GraphqlRequest;
use crate::call::Caller;
use crate::world::{Kind, SemanticQuery, World};

static SCHEMA: LazyLock<Valid<Schema>> =
    LazyLock::new(|| schema(include_str!("semantic_layer.graphql"), "semantic_layer.graphql"));

pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

pub(super) const METRICS: [Metric; 3] = [
    Metric {
        name: "revenue",
        description: "Revenue of completed and pending orders",
    },
    Metric {
        name: "orders",
        description: "How many orders were placed",
    },
    Metric {
        name: "customers",
        description: "How many customers ordered",
    },
];

const DIMENSIONS: [(&str, &str); 3] = [
    ("metric_time", "TIME"),
    ("order__status", "CATEGORICAL"),
    ("customer__first_name", "CATEGORICAL"),
];
const GRANULARITIES: [&str; 5] = ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];

pub(super) fn answer(world: &mut World, caller: &Caller, request: &GraphqlRequest, now: DateTime<Utc>) -> Value {
    let root = Root {
        world: Mutex::new(world),
        caller,
        now,
        mutation: is_mutation(&SCHEMA, request),
    };
    execute(&SCHEMA, request, &root)
}

struct Root<'w> {
    /// Locked because the executor gives shared references only.
    world: Mutex<&'w mut World>,
    caller: &'w Caller,
    now: DateTime<Utc>,
    mutation: bool,
}

impl ObjectValue for Root<'_> {
    fn type_name(&self) -> &str {
        if self.mutation { "Mutation" } else { "Query" }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let arguments = arguments(info);
        let environment_id = self.environment(&arguments)?;
        let value = match info.field_name() {
            "environmentInfo" => json!({ "dialect": "POSTGRES" }),
            "metrics" | "metricsForDimensions" => METRICS.iter().map(metric).collect(),
            "dimensions" => dimensions(),
            "entities" => entities(),
            "measures" => measures(),
            "queryableGranularities" => json!(GRANULARITIES),
            "savedQueries" => json!([{ "name": "daily_revenue", "label": "Daily revenue", "description": null,
                "queryParams": { "metrics": [{ "name": "revenue" }], "groupBy": [{ "name": "metric_time" }] } }]),
            "compileSql" => {
                let query = self.new_query(environment_id, &arguments);
                if let Some(error) = query.error {
                    return Err(refuse(error));
                }
                json!({ "sql": query.sql })
            }
            "createQuery" | "createDimensionValuesQuery" => self.create(environment_id, &arguments),
            "query" => return self.read(environment_id, &arguments, info),
            _ => return Err(self.unknown_field_error(info)),
        };
        resolve(value, info)
    }
}

impl Root<'_> {
    fn environment(&self, arguments: &Map<String, Value>) -> Result<i64, FieldError> {
        let value = arguments.get("environmentId").unwrap_or(&Value::Null);
        let id = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let id = id.ok_or_else(|| refuse("environmentId must be a number"))?;
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let known = world
            .accounts_of(self.caller)
            .any(|account| account.find(Kind::Environments, id).is_ok());
        if known {
            Ok(id)
        } else {
            Err(refuse(format!("No environment {id}, or no permission to read it.")))
        }
    }

    fn new_query(&self, environment_id: i64, arguments: &Map<String, Value>) -> SemanticQuery {
        let names = |list: &str| -> Vec<String> {
            let items = arguments.get(list).and_then(Value::as_array);
            items
                .into_iter()
                .flatten()
                .filter_map(|item| item["name"].as_str())
                .map(ToOwned::to_owned)
                .collect()
        };
        let (mut metrics, mut grouped) = (names("metrics"), groups(arguments));
        if arguments.get("savedQuery").is_some_and(Value::is_string) {
            metrics = vec!["revenue".to_owned()];
            grouped = vec![("metric_time".to_owned(), None)];
        }
        let unknown = metrics
            .iter()
            .find(|name| !METRICS.iter().any(|metric| metric.name == **name));
        let error = unknown
            .map(|name| format!("The given input does not match any known metric: {name}"))
            .or_else(|| order_error(arguments, &metrics, &grouped));
        let group_by = columns_of(&grouped);
        let conditions = arguments.get("where").and_then(Value::as_array);
        let conditions: Vec<&str> = conditions
            .into_iter()
            .flatten()
            .filter_map(|item| item["sql"].as_str())
            .collect();
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" where {}", conditions.join(" and "))
        };
        let limit = arguments
            .get("limit")
            .and_then(Value::as_u64)
            .and_then(|limit| usize::try_from(limit).ok());
        let columns = group_by
            .iter()
            .cloned()
            .chain(metrics.iter().map(|name| format!("sum({name}) as {name}")));
        let columns: Vec<String> = columns.collect();
        let grouped = if group_by.is_empty() {
            String::new()
        } else {
            format!(" group by {}", group_by.join(", "))
        };
        let cut = limit.map_or_else(String::new, |limit| format!(" limit {limit}"));
        let sql = format!(
            "select {} from analytics.stg_orders{filter}{grouped}{cut}",
            columns.join(", ")
        );
        SemanticQuery {
            id: String::new(),
            environment_id,
            made_at: self.now,
            metrics,
            group_by,
            sql,
            limit,
            error,
        }
    }

    fn create(&self, environment_id: i64, arguments: &Map<String, Value>) -> Value {
        let mut query = self.new_query(environment_id, arguments);
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        query.id = format!("slq_{:x}", world.ids.next());
        let id = query.id.clone();
        world.add_query(query);
        json!({ "queryId": id })
    }

    fn read<'a>(
        &self,
        environment_id: i64,
        arguments: &Map<String, Value>,
        info: &ResolveInfo<'_>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let id = arguments.get("queryId").and_then(Value::as_str).unwrap_or_default();
        let page = arguments
            .get("pageNum")
            .and_then(Value::as_u64)
            .and_then(|page| usize::try_from(page).ok())
            .unwrap_or(1);
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let query = world
            .semantic_queries
            .iter()
            .find(|query| query.id == id && query.environment_id == environment_id);
        let query = query.ok_or_else(|| refuse(format!("No query {id} in this environment.")))?;
        resolve(query.render(page, self.now), info)
    }
}

/// A dimension with its grain.
type Group = (String, Option<String>);

fn group(input: &Value) -> Option<Group> {
    let grain = input["grain"].as_str().map(str::to_uppercase);
    Some((input["name"].as_str()?.to_owned(), grain))
}

fn groups(arguments: &Map<String, Value>) -> Vec<Group> {
    let inputs = arguments.get("groupBy").and_then(Value::as_array);
    inputs.into_iter().flatten().filter_map(group).collect()
}

/// One column each; those of several grains of a dimension have the grain in their names.
fn columns_of(groups: &[Group]) -> Vec<String> {
    let column = |(name, grain): &Group| match grain {
        Some(grain) if groups.iter().filter(|(other, _)| other == name).count() > 1 => format!("{name}__{grain}"),
        _ => name.clone(),
    };
    groups.iter().map(column).collect()
}

/// Why the query cannot be ordered so: a metric is ordered by as a metric, a dimension as it is grouped by.
fn order_error(arguments: &Map<String, Value>, metrics: &[String], groups: &[Group]) -> Option<String> {
    let orders = arguments.get("orderBy").and_then(Value::as_array);
    orders.into_iter().flatten().find_map(|order| {
        let metric = order["metric"]["name"].as_str();
        match (metric, group(&order["groupBy"])) {
            (Some(name), None) if metrics.iter().any(|metric| metric == name) => None,
            (None, Some(by)) if groups.contains(&by) => None,
            _ => Some(format!(
                "The order by item is not one of the query's metrics or group by items: {order}"
            )),
        }
    })
}

fn metric(metric: &Metric) -> Value {
    json!({
        "name": metric.name,
        "label": metric.name,
        "description": metric.description,
        "type": "SIMPLE",
        "dimensions": dimensions(),
        "entities": entities(),
        "measures": measures(),
        "queryableGranularities": GRANULARITIES,
        "requiresMetricTime": false,
    })
}

fn dimensions() -> Value {
    let dimension = |(name, kind): &(&str, &str)| {
        json!({
            "name": name,
            "qualifiedName": name,
            "label": null,
            "description": null,
            "type": kind,
            "expr": null,
            "isPartition": false,
            "queryableGranularities": if *kind == "TIME" { json!(GRANULARITIES) } else { json!([]) },
        })
    };
    DIMENSIONS.iter().map(dimension).collect()
}

fn entities() -> Value {
    json!([
        { "name": "order", "description": null, "type": "PRIMARY", "role": null, "expr": "order_id" },
        { "name": "customer", "description": null, "type": "FOREIGN", "role": null, "expr": "customer_id" },
    ])
}

fn measures() -> Value {
    json!([{ "name": "amount", "agg": "sum", "expr": "amount", "aggTimeDimension": "ordered_at" }])
}
