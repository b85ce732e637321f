//! Texts and JSON that Postgres is sure to take: no NUL, bounded, cut on a character boundary.
//!
//! A row is built of these alone, so one caller's odd bytes can never fail the rows that share its commit.

use serde::Serialize;
use serde_json::{Value, json};

/// How much of a text a row keeps.
#[derive(Debug, Clone, Copy)]
pub struct RowLimits {
    /// Of an error text or name, in bytes; at most 8192.
    pub text_max_bytes: usize,
    /// Of the arguments and of the exchanges, in bytes of JSON each.
    pub json_max_bytes: usize,
}

impl Default for RowLimits {
    fn default() -> Self {
        Self {
            text_max_bytes: 2048,
            json_max_bytes: 16 * 1024,
        }
    }
}

/// A text fit for a `text` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CleanText(String);

impl CleanText {
    pub(crate) fn new(text: &str, max_bytes: usize) -> Self {
        let mut clean = text.replace('\0', "\u{fffd}");
        cut(&mut clean, max_bytes);
        Self(clean)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A JSON text fit for a `jsonb` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CleanJson(String);

impl CleanJson {
    /// An object stays an object and a list a list, even when it has to be cut.
    pub(crate) fn new(value: &impl Serialize, max_bytes: usize) -> Self {
        // What we log has string keys alone, so it always has a JSON form.
        let mut text = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
        if text.contains("\\u0000") {
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            text = without_nul(&value).to_string();
        }
        if text.len() > max_bytes {
            let (bytes, is_list) = (text.len(), text.starts_with('['));
            // Quoting can at most double a text, and the frame around it is short.
            cut(&mut text, (max_bytes / 2).saturating_sub(64));
            let cut = json!({"cut": true, "bytes": bytes, "start": text});
            text = if is_list { json!([cut]) } else { cut }.to_string();
        }
        Self(text)
    }

    pub(crate) fn empty_object() -> Self {
        Self("{}".to_owned())
    }

    pub(crate) fn empty_list() -> Self {
        Self("[]".to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Array(items) => items.iter().map(without_nul).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.replace('\0', "\u{fffd}"), without_nul(field)))
            .collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_on_a_character_boundary() {
        assert_eq!(CleanText::new("ééééé", 8).as_str(), "éé…");
        assert_eq!(CleanText::new("short", 8).as_str(), "short");
        assert_eq!(CleanText::new("a\0b", 8).as_str(), "a\u{fffd}b");
    }

    #[test]
    fn nul_is_replaced_wherever_it_hides_in_json() {
        let value = json!({"a\0": ["\0", {"b": "c\0"}], "n": 1, "backslash": "\\u0000"});
        let clean: Value = serde_json::from_str(CleanJson::new(&value, 1000).as_str()).unwrap();
        assert_eq!(
            clean,
            json!({"a\u{fffd}": ["\u{fffd}", {"b": "c\u{fffd}"}], "n": 1, "backslash": "\\u0000"})
        );
    }

    #[test]
    fn json_over_the_limit_is_cut_and_stays_json_of_its_kind() {
        for value in [json!({"x": "\"é".repeat(1000)}), json!(["\\".repeat(1000)])] {
            let clean = CleanJson::new(&value, 500);
            assert!(clean.as_str().len() <= 500, "{}", clean.as_str().len());
            let read: Value = serde_json::from_str(clean.as_str()).unwrap();
            assert_eq!(read.is_array(), value.is_array());
        }
    }
}
