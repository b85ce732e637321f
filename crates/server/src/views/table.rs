//! A table of the Semantic Layer.

use model::{Column, Table};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A table.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "columns": [{"name": "METRIC_TIME", "type": "string"}, {"name": "REVENUE", "type": "integer"}],
    "rows": [["2025-01-01T00:00:00.000", 101], ["2025-01-02T00:00:00.000", 138]]
}))]
pub(crate) struct TableView {
    /// The columns, in order.
    columns: Vec<ColumnView>,
    /// The rows; each has a value for each column.
    rows: Vec<Vec<Value>>,
}

/// A column of a table.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "REVENUE", "type": "integer"}))]
pub(crate) struct ColumnView {
    /// As the Semantic Layer spells it, mostly in capitals.
    name: String,
    /// `string`, `integer`, `number`, `datetime` or `boolean`.
    #[serde(rename = "type")]
    kind: String,
}

impl From<Table> for TableView {
    fn from(table: Table) -> Self {
        let column = |Column { name, kind }| ColumnView { name, kind };
        Self {
            columns: table.columns.into_iter().map(column).collect(),
            rows: table.rows,
        }
    }
}

impl TableView {
    /// The table as CSV (RFC 4180) with a head. Null is empty.
    pub(crate) fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut csv = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        csv.write_record(self.columns.iter().map(|column| &column.name))?;
        for row in &self.rows {
            csv.write_record(row.iter().map(|value| match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }))?;
        }
        Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_null_empty() {
        let column = |name: &str| Column {
            name: name.to_owned(),
            kind: "string".to_owned(),
        };
        let table = TableView::from(Table {
            columns: vec![column("A"), column("B, C")],
            rows: vec![vec![json!("say \"hi\"\n"), json!(null)], vec![json!(1.5), json!(true)]],
        });
        let csv = String::from_utf8(table.csv().unwrap()).unwrap();
        assert_eq!(csv, "A,\"B, C\"\r\n\"say \"\"hi\"\"\n\",\r\n1.5,true\r\n");
    }
}
