//! The body of a query of the Semantic Layer, in its three forms.

use garde::Validate;
use garde::error::Path;
use model::{EnvironmentId, GraphqlEffect, GraphqlQuery, GroupBy, OrderBy, SemanticQuery};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};

const MAX_NAMES: usize = 100;

/// A query of the Semantic Layer API: a GraphQL document, metrics, or a saved query.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({
    "environment_id": 70_403_103_930_001_i64, "metrics": ["revenue"],
    "group_by": [{"name": "metric_time", "grain": "DAY"}], "order_by": [{"name": "metric_time"}], "limit": 100
}))]
pub(super) enum QuerySemanticLayer {
    Document(SemanticDocument),
    Metrics(MetricsTable),
    SavedQuery(SavedQueryTable),
}

impl<'de> Deserialize<'de> for QuerySemanticLayer {
    /// The form follows from the field that it alone has, so that an error speaks of that form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Map::deserialize(deserializer)?;
        let forms = ["query", "metrics", "saved_query"].map(|field| body.contains_key(field));
        let body = Value::Object(body);
        let form = match forms {
            [true, false, false] => serde_json::from_value(body).map(Self::Document),
            [false, true, false] => serde_json::from_value(body).map(Self::Metrics),
            [false, false, true] => serde_json::from_value(body).map(Self::SavedQuery),
            [false, false, false] => {
                let why = "give `query`, or `environment_id` with `metrics` or `saved_query`";
                return Err(D::Error::custom(why));
            }
            _ => return Err(D::Error::custom("give one of `query`, `metrics` and `saved_query`")),
        };
        form.map_err(D::Error::custom)
    }
}

impl Validate for QuerySemanticLayer {
    type Context = ();

    fn validate_into(&self, context: &(), parent: &mut dyn FnMut() -> Path, report: &mut garde::Report) {
        match self {
            Self::Document(body) => body.validate_into(context, parent, report),
            Self::Metrics(body) => body.validate_into(context, parent, report),
            Self::SavedQuery(body) => body.validate_into(context, parent, report),
        }
    }
}

/// A GraphQL document, sent as it is; the answer is its `data`.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "query": "query ($environmentId: BigInt!) { metrics(environmentId: $environmentId) { name } }",
    "variables": {"environmentId": 70_403_103_930_001_i64}
}))]
pub(super) struct SemanticDocument {
    /// The GraphQL document.
    #[garde(length(min = 1))]
    #[schema(min_length = 1, format = "graphql")]
    pub(super) query: String,
    /// Values for its variables, by name.
    #[serde(default)]
    #[garde(skip)]
    variables: Map<String, Value>,
    /// Which of the document's operations, where it has several.
    #[serde(default)]
    #[garde(skip)]
    pub(super) operation_name: Option<String>,
}

impl SemanticDocument {
    pub(super) fn with(self, effect: GraphqlEffect) -> GraphqlQuery {
        GraphqlQuery {
            query: self.query,
            variables: self.variables,
            operation_name: self.operation_name,
            effect,
        }
    }
}

/// Declares a query that a table answers: its own field, and those that both forms have.
macro_rules! table_query {
    ($(#[$doc:meta])* $name:ident { $(#[$meta:meta])* $field:ident: $type:ty } $($filled:tt)*) => {
        #[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$doc])*
        pub(super) struct $name {
            /// The environment of the metrics.
            #[garde(range(min = 1))]
            #[schema(minimum = 1)]
            environment_id: i64,
            $(#[$meta])*
            $field: $type,
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
        }

        impl From<$name> for SemanticQuery {
            fn from(body: $name) -> Self {
                let $name { environment_id, $field, group_by, conditions, order_by, limit } = body;
                Self {
                    environment_id: EnvironmentId(environment_id),
                    group_by,
                    conditions,
                    order_by,
                    limit,
                    $($filled)*
                }
            }
        }
    };
}

table_query! {
    /// Metrics of an environment, answered by a table.
    #[schema(example = json!({
        "environment_id": 70_403_103_930_001_i64, "metrics": ["revenue"], "group_by": [{"name": "metric_time", "grain": "DAY"}]
    }))]
    MetricsTable {
        /// Names of metrics, 1 to 100.
        #[garde(length(min = 1, max = MAX_NAMES))]
        #[schema(schema_with = names)]
        metrics: Vec<String>
    }
    metrics, saved_query: None,
}

table_query! {
    /// A saved query of an environment, answered by a table.
    #[schema(example = json!({"environment_id": 70_403_103_930_001_i64, "saved_query": "daily_revenue"}))]
    SavedQueryTable {
        /// Its name.
        #[garde(length(min = 1))]
        #[schema(min_length = 1)]
        saved_query: String
    }
    metrics: Vec::new(), saved_query: Some(saved_query),
}

fn names() -> RefOr<Schema> {
    let list = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .min_items(Some(1))
        .max_items(Some(MAX_NAMES));
    list.description(Some("Names of metrics, 1 to 100.")).build().into()
}
