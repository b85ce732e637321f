//! A table of the Semantic Layer as CSV.

use model::Table;
use serde_json::Value;

/// The table as CSV (RFC 4180) with a header. Null is empty.
pub(super) fn csv(table: &Table) -> Result<Vec<u8>, csv::Error> {
    let mut csv = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    csv.write_record(table.columns.iter().map(|column| &column.name))?;
    for row in &table.rows {
        csv.write_record(row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))?;
    }
    Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

#[cfg(test)]
mod tests {
    use model::Column;
    use serde_json::json;

    use super::*;

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_null_empty() {
        let column = |name: &str| Column {
            name: name.to_owned(),
            kind: "string".to_owned(),
        };
        let table = Table {
            columns: vec![column("A"), column("B, C")],
            rows: vec![vec![json!("say \"hi\"\n"), json!(null)], vec![json!(1.5), json!(true)]],
        };
        let csv = String::from_utf8(csv(&table).unwrap()).unwrap();
        assert_eq!(csv, "A,\"B, C\"\r\n\"say \"\"hi\"\"\n\",\r\n1.5,true\r\n");
    }
}
