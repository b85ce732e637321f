//! Ways through the document: its operations, their parameters, its references.

use serde_json::{Map, Value};

/// Every operation with its path and method.
pub(super) fn operations(document: &mut Value) -> impl Iterator<Item = (&str, &str, &mut Map<String, Value>)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods.filter_map(|(method, operation)| Some((path.as_str(), method.as_str(), operation.as_object_mut()?)))
    })
}

/// The operation's name.
pub(super) fn name_of(operation: &Map<String, Value>) -> String {
    let name = operation.get("operationId").and_then(Value::as_str);
    name.unwrap_or_default().to_owned()
}

/// The parameters of an operation.
pub(super) fn parameters(operation: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let list = operation.get("parameters").and_then(Value::as_array);
    list.into_iter().flatten()
}

/// Follows a `$ref` within the document.
pub(super) fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointed = |reference: &str| document.pointer(reference.strip_prefix('#')?);
    let reference = schema.get("$ref").and_then(Value::as_str);
    reference.and_then(pointed).unwrap_or(schema)
}
