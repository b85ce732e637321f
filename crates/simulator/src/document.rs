//! A stored object: its fields as dbt names them, and short ways to read and write them.

use serde_json::{Map, Value};

/// The fields of an object.
pub(crate) type Doc = Map<String, Value>;

/// Reads and writes single fields.
pub(crate) trait Fields {
    fn int(&self, name: &str) -> Option<i64>;
    /// Empty when the field is missing or not a string.
    fn text(&self, name: &str) -> &str;
    fn flag(&self, name: &str) -> Option<bool>;
    /// The value, or null.
    fn value(&self, name: &str) -> Value;
    /// The elements of a list; none when the field is not a list.
    fn items(&self, name: &str) -> &[Value];
    fn has(&self, name: &str, value: impl Into<Value>) -> bool;
    fn put(&mut self, name: &str, value: impl Into<Value>);
}

impl Fields for Doc {
    fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    fn value(&self, name: &str) -> Value {
        self.get(name).cloned().unwrap_or(Value::Null)
    }

    fn items(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn has(&self, name: &str, value: impl Into<Value>) -> bool {
        self.get(name) == Some(&value.into())
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.insert(name.to_owned(), value.into());
    }
}

/// The fields of a JSON object; none of any other value.
pub(crate) fn as_doc(value: Value) -> Doc {
    match value {
        Value::Object(doc) => doc,
        _ => Doc::new(),
    }
}

/// A document whose fields are replaced by those of a JSON object.
pub(crate) fn with(mut doc: Doc, fields: Value) -> Doc {
    doc.extend(as_doc(fields));
    doc
}
