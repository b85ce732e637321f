//! Queries of dbt Cloud's GraphQL APIs: Discovery and the Semantic Layer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Effect, EnvironmentId};

/// A GraphQL request, spelled as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphqlQuery {
    /// The document.
    pub query: String,
    /// Values for its variables, by name.
    pub variables: Map<String, Value>,
    /// The operation to run, if the document has several.
    #[serde(rename = "operationName", skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    /// What the operation does.
    #[serde(skip)]
    pub effect: GraphqlEffect,
}

/// What an operation of GraphQL does, the strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GraphqlEffect {
    /// A query.
    Reads,
    /// A mutation that only creates a query of the Semantic Layer: a read, but never sent twice.
    CreatesQuery,
    /// Any other mutation.
    Changes,
}

impl GraphqlEffect {
    /// Whether it changes something.
    pub fn effect(self) -> Effect {
        match self {
            Self::Reads | Self::CreatesQuery => Effect::Read,
            Self::Changes => Effect::Change,
        }
    }

    /// Whether it may be sent again after a transient failure.
    pub fn may_be_repeated(self) -> bool {
        self == Self::Reads
    }
}

/// A query of the Semantic Layer, answered by a table. Either metrics or a saved query is given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SemanticQuery {
    /// The environment of the metrics.
    pub environment_id: EnvironmentId,
    /// Names of metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// Dimensions and entities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<GroupBy>,
    /// Conditions in the Semantic Layer's SQL, all of which must hold.
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "where")]
    pub conditions: Vec<String>,
    /// The order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_by: Vec<OrderBy>,
    /// The maximum number of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The name of a saved query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_query: Option<String>,
}

/// A dimension or entity to group by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "metric_time", "grain": "DAY"}))]
pub struct GroupBy {
    /// Its name.
    pub name: String,
    /// The grain of a time dimension: `DAY`, `WEEK`, `MONTH`, `QUARTER`, `YEAR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<String>,
}

/// A metric or dimension to order by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "metric_time", "descending": true}))]
pub struct OrderBy {
    /// The name of one of the query's metrics or dimensions, or of the saved query's.
    pub name: String,
    /// The grain of a time dimension, where `group_by` has several grains of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<String>,
    /// The largest first.
    #[serde(default)]
    pub descending: bool,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "columns": [{"name": "METRIC_TIME", "type": "string"}, {"name": "REVENUE", "type": "integer"}],
    "rows": [["2025-01-01T00:00:00.000", 101], ["2025-01-02T00:00:00.000", 138]]
}))]
pub struct Table {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The rows; each has a value for each column.
    pub rows: Vec<Vec<Value>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"name": "REVENUE", "type": "integer"}))]
pub struct Column {
    /// As the Semantic Layer spells it, mostly in capitals.
    pub name: String,
    /// `string`, `integer`, `number`, `datetime` or `boolean`.
    #[serde(rename = "type")]
    pub kind: String,
}
