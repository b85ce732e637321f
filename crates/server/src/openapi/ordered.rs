//! The order in which the document is written.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

/// Written before the other keys of its object: generators take the first media type of an answer that they know, and a file
/// has to come as bytes.
const FIRST: &str = "application/octet-stream";

/// A part of the document, its keys in alphabetical order but for [`FIRST`].
pub(super) struct Ordered<'a>(pub(super) &'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(key, _)| (key.as_str() != FIRST, key.as_str()));
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    map.serialize_entry(key, &Ordered(value))?;
                }
                map.end()
            }
            Value::Array(list) => serializer.collect_seq(list.iter().map(Ordered)),
            other => other.serialize(serializer),
        }
    }
}
