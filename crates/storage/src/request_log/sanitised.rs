//! Texts and JSON for rows: without secrets, and as Postgres accepts them: without NUL, limited in length, cut on a character
//! boundary.
//!
//! Rows contain no other texts, so that no secret of a caller is in any column, and one caller's input cannot fail the rows
//! that share its commit.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

/// The longest JSON that is read again to find its secrets, in bytes. In a longer one they are found as in a text.
const REDACTED_AS_JSON: usize = 1 << 20;

/// Maximum lengths of the texts of a row.
#[derive(Debug, Clone, Copy)]
pub struct RowLimits {
    /// An error or name, in bytes; at most 8192.
    pub text_max_bytes: usize,
    /// The arguments, and the exchanges: bytes of JSON each.
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

/// A value for a `text` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SanitisedText(String);

impl SanitisedText {
    pub(crate) fn new(text: &str, max_bytes: usize) -> Self {
        // Before it is cut: a secret without its end may not be recognised.
        let mut text = redaction::text(text).replace('\0', "\u{fffd}");
        cut(&mut text, max_bytes);
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value for a `jsonb` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SanitisedJson(String);

impl SanitisedJson {
    /// Also a cut object is an object, and a cut list a list.
    pub(crate) fn new(value: &impl Serialize, max_bytes: usize) -> Self {
        // Logged values have string keys only, so serialising cannot fail.
        let mut text = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
        if text.len() > REDACTED_AS_JSON {
            // Only its beginning is kept.
            let kept = text.floor_char_boundary(max_bytes.max(REDACTED_AS_JSON));
            if let Cow::Owned(clean) = redaction::text(&text[..kept]) {
                text.replace_range(..kept, &clean);
            }
        } else if redaction::is_suspicious(&text) {
            text = redacted(&text);
        }
        if text.contains("\\u0000") {
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            text = without_nul(&value).to_string();
        }
        if text.len() > max_bytes {
            let (bytes, is_list) = (text.len(), text.starts_with('['));
            // Escaping at most doubles the text; the object around it is short.
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

/// JSON without its secrets. What cannot be read again (it nests too deeply) is not kept.
fn redacted(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(mut value) => {
            redaction::json(&mut value);
            value.to_string()
        }
        Err(_) if text.starts_with('[') => json!([redaction::REDACTED]).to_string(),
        Err(_) => json!({"redacted": true, "bytes": text.len()}).to_string(),
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
        assert_eq!(SanitisedText::new("ééééé", 8).as_str(), "éé…");
        assert_eq!(SanitisedText::new("short", 8).as_str(), "short");
        assert_eq!(SanitisedText::new("a\0b", 8).as_str(), "a\u{fffd}b");
    }

    #[test]
    fn nul_is_replaced_everywhere_in_json() {
        let value = json!({"a\0": ["\0", {"b": "c\0"}], "n": 1, "backslash": "\\u0000"});
        let sanitised: Value = serde_json::from_str(SanitisedJson::new(&value, 1000).as_str()).unwrap();
        assert_eq!(
            sanitised,
            json!({"a\u{fffd}": ["\u{fffd}", {"b": "c\u{fffd}"}], "n": 1, "backslash": "\\u0000"})
        );
    }

    #[test]
    fn texts_and_json_are_without_secrets() {
        assert_eq!(SanitisedText::new("no dbtc_abc", 100).as_str(), "no [redacted]");
        let cut_in_the_middle = SanitisedText::new(&format!("x dbtc_{}", "a".repeat(100)), 50);
        assert_eq!(cut_in_the_middle.as_str(), "x [redacted]");
        let value = json!({"order": {"cause": "dbtc_abc", "password": "x"}});
        let sanitised: Value = serde_json::from_str(SanitisedJson::new(&value, 1000).as_str()).unwrap();
        assert_eq!(
            sanitised,
            json!({"order": {"cause": "[redacted]", "password": "[redacted]"}})
        );
        let mut deep = json!("dbtc_abc");
        for _ in 0..200 {
            deep = json!([deep]);
        }
        for value in [
            deep.clone(),
            json!({"deep": deep}),
            json!({"long": " dbtc_abc".repeat(1 << 18)}),
        ] {
            let sanitised = SanitisedJson::new(&value, 1000);
            assert!(!sanitised.as_str().contains("dbtc_abc"), "{}", sanitised.as_str());
            let read: Value = serde_json::from_str(sanitised.as_str()).unwrap();
            assert_eq!(read.is_array(), value.is_array());
        }
    }

    #[test]
    fn json_over_the_limit_is_cut_and_stays_an_object_or_list() {
        for value in [json!({"x": "\"é".repeat(1000)}), json!(["\\".repeat(1000)])] {
            let sanitised = SanitisedJson::new(&value, 500);
            assert!(sanitised.as_str().len() <= 500, "{}", sanitised.as_str().len());
            let read: Value = serde_json::from_str(sanitised.as_str()).unwrap();
            assert_eq!(read.is_array(), value.is_array());
        }
    }
}
