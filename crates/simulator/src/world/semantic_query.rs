//! Queries of the Semantic Layer and their results.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

/// Rows on a page of a result.
const PAGE: usize = 1_024;

#[derive(Clone, Debug)]
pub(crate) struct SemanticQuery {
    pub(crate) id: String,
    pub(crate) environment_id: i64,
    pub(crate) made_at: DateTime<Utc>,
    pub(crate) metrics: Vec<String>,
    pub(crate) group_by: Vec<String>,
    pub(crate) sql: String,
    pub(crate) limit: Option<usize>,
    pub(crate) error: Option<String>,
}

impl SemanticQuery {
    fn status(&self, now: DateTime<Utc>) -> &'static str {
        match (now - self.made_at, &self.error) {
            (passed, _) if passed < TimeDelta::seconds(1) => "PENDING",
            (_, Some(_)) => "FAILED",
            (passed, _) if passed < TimeDelta::seconds(2) => "COMPILED",
            (passed, _) if passed < TimeDelta::seconds(3) => "RUNNING",
            _ => "SUCCESSFUL",
        }
    }

    /// Rows computed from the query: 1,500 days, four groups, or one row without a group.
    fn rows(&self) -> Vec<Map<String, Value>> {
        let count = match (
            self.group_by.is_empty(),
            self.group_by.iter().any(|name| name.starts_with("metric_time")),
        ) {
            (true, _) => 1,
            (false, true) => 1_500,
            (false, false) => 4,
        };
        let day = DateTime::from_timestamp(1_735_689_600, 0).unwrap_or_default();
        let rows = (0..count).map(|index: i64| {
            let mut row = Map::from_iter([("index".to_owned(), json!(index))]);
            for name in &self.group_by {
                let value = if name.starts_with("metric_time") {
                    json!(
                        (day + TimeDelta::days(index))
                            .format("%Y-%m-%dT00:00:00.000")
                            .to_string()
                    )
                } else {
                    json!(
                        ["completed", "pending", "returned", "unknown"][usize::try_from(index % 4).unwrap_or_default()]
                    )
                };
                row.insert(name.to_uppercase(), value);
            }
            for (name, position) in self.metrics.iter().zip(1_i64..) {
                row.insert(name.to_uppercase(), json!((index * 37 + position * 101) % 1_000));
            }
            row
        });
        rows.take(self.limit.unwrap_or(usize::MAX)).collect()
    }

    /// The query and one page of its result, as JSON.
    pub(crate) fn render(&self, page: usize, now: DateTime<Utc>) -> Value {
        let status = self.status(now);
        let rows = if status == "SUCCESSFUL" {
            self.rows()
        } else {
            Vec::new()
        };
        let pages = rows.len().div_ceil(PAGE);
        let start = page.saturating_sub(1) * PAGE;
        let data: Vec<_> = rows.into_iter().skip(start).take(PAGE).collect();
        let columns = self
            .group_by
            .iter()
            .map(|name| json!({ "name": name.to_uppercase(), "type": "string" }));
        let numbers = self
            .metrics
            .iter()
            .map(|name| json!({ "name": name.to_uppercase(), "type": "integer" }));
        let fields: Vec<Value> = [json!({ "name": "index", "type": "integer" })]
            .into_iter()
            .chain(columns)
            .chain(numbers)
            .collect();
        let table =
            json!({ "schema": { "fields": fields, "primaryKey": ["index"], "pandas_version": "1.4.0" }, "data": data });
        let done = status == "SUCCESSFUL";
        json!({
            "queryId": self.id,
            "status": status,
            "error": if status == "FAILED" { json!(self.error) } else { Value::Null },
            "sql": if status == "PENDING" { Value::Null } else { json!(self.sql) },
            "totalPages": done.then_some(pages),
            "arrowResult": null,
            "jsonResult": done.then(|| table.to_string()),
        })
    }
}
