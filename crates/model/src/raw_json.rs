//! Parts of dbt Cloud's answers that are passed on unparsed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Any JSON as dbt Cloud wrote it. It is not parsed, so that it costs only its bytes and keeps the order of its keys, its
/// spelling and long numbers. Deserialise it from JSON text or a `serde_json::Value`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for RawJson {
    /// By the text: `1` and `1.0` differ.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_written_exactly_as_it_was_read() {
        let text = r#"{"b":  1.00, "a":[12345678901234567890123, "\u00e9"]}"#;
        let read: RawJson = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
