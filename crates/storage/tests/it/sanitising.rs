//! Rows are written whatever the caller or dbt Cloud sent.

use model::{CompanyId, RequestType};
use serde_json::{Value, json};
use storage::{Closing, FixedColumns, Outcome, RequestLog as _, RowLimits};

use crate::support::{Db, noon, stamp_at};

/// Writes a row with these texts, without a retry, and reads it back.
async fn write_and_read(args: &Value, error: &str, exchanges: &Value) -> Value {
    let db = Db::new().await;
    let limits = RowLimits::default();
    let stamp = stamp_at(noon());
    let fixed = FixedColumns::new(&stamp, RequestType::ListProjects, CompanyId(1), args, &limits);
    let end = Closing::new(Outcome::Decode, &stamp, noon(), Some(error), &limits);
    let row = fixed.closed(end.with_exchanges(1, exchanges, &limits));
    db.log().write(&[row]).await.unwrap();
    db.only_row().await
}

#[tokio::test]
async fn nul_is_replaced_in_every_column() {
    let row = write_and_read(&json!({"na\0me": ["a\0b"]}), "bro\0ken", &json!([{"error": "\0"}])).await;
    assert_eq!(row["args"], json!({"na\u{fffd}me": ["a\u{fffd}b"]}));
    assert_eq!(row["error"], "bro\u{fffd}ken");
    assert_eq!(row["exchanges"], json!([{"error": "\u{fffd}"}]));
}

#[tokio::test]
async fn long_texts_are_cut() {
    let long = "é\"\\".repeat(500_000);
    let row = write_and_read(&json!({"name": long}), &long, &json!([{"error": long}])).await;
    let limits = RowLimits::default();
    let error = row["error"].as_str().unwrap();
    assert!(error.len() <= limits.text_max_bytes && error.ends_with('…'));
    assert!(error.len() > limits.text_max_bytes - 8, "no shorter than needed");
    assert_eq!(row["args"]["cut"], true);
    assert!(row["args"].to_string().len() <= limits.json_max_bytes);
    assert!(row["exchanges"].is_array() && row["exchanges"].to_string().len() <= limits.json_max_bytes);
}

#[tokio::test]
async fn unusual_valid_values_are_stored_unchanged() {
    let args = json!({
        "quotes": "'; DROP TABLE request_log; --", "controls": "\u{1}\u{7f}\r\n\t", "outside the plane": "𝄞🦆",
        "not a character": "\u{ffff}", "backslash u": "\\u0000", "numbers": [i64::MIN, u64::MAX, 1.5e300, -0.0],
        "": {"empty": []},
    });
    let row = write_and_read(&args, "{\"}", &json!([])).await;
    assert_eq!(row["args"]["quotes"], args["quotes"]);
    for field in ["controls", "outside the plane", "not a character", "backslash u", ""] {
        assert_eq!(row["args"][field], args[field], "{field}");
    }
    assert_eq!(row["args"]["numbers"][0], i64::MIN);
    assert_eq!(row["error"], "{\"}");
}
