//! Makes the schemas exact: ids, what an answer always has, and one component for each type.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Completes every schema of the document.
pub(super) fn complete(document: &mut Value) {
    walk(document, &mut |object| {
        if let Some(fields) = object.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, schema) in fields {
                from_one(name, schema);
            }
        }
        let parameter = object.get("name").and_then(Value::as_str).map(str::to_owned);
        if let (Some(name), true, Some(schema)) = (parameter, object.contains_key("in"), object.get_mut("schema")) {
            from_one(&name, schema);
            with_commas(schema);
        }
    });
    share(document);
    let taken = taken(document);
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas.filter(|(name, _)| !taken.contains(*name)) {
        walk(schema, &mut always_there);
    }
}

/// Ids that are not called so.
const IDS: [&str; 6] = [
    "id",
    "accounts",
    "blocked_by",
    "candidates",
    "would_cancel",
    "would_reuse",
];

/// A list in a query is one text with commas: it is not empty, nor is any part of it.
fn with_commas(schema: &mut Value) {
    if schema["type"] != "array" && schema["items"].is_null() {
        return;
    }
    schema["minItems"] = json!(1);
    if schema["items"]["type"] == "string" && schema["items"]["enum"].is_null() {
        schema["items"]["pattern"] = json!(r"^[^,\s]([^,]*[^,\s])?$");
    }
}

/// Ids are positive.
fn from_one(name: &str, schema: &mut Value) {
    if !name.ends_with("_id") && !IDS.contains(&name) {
        return;
    }
    let schema = if schema["items"].is_object() {
        &mut schema["items"]
    } else {
        schema
    };
    let kind = &schema["type"];
    if kind == "integer" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("integer"))) {
        schema["minimum"] = json!(1);
    }
}

/// Calls `each` for every object below, and for the value itself.
fn walk(value: &mut Value, each: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            each(object);
            for (name, below) in object {
                if name != "example" && name != "examples" {
                    walk(below, each);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|below| walk(below, each)),
        _ => {}
    }
}

/// Refers to a component where its schema is repeated, so that a list has the type of a single thing.
fn share(document: &mut Value) {
    let Some(components) = document["components"]["schemas"].as_object().cloned() else {
        return;
    };
    let shared: Vec<_> = components
        .iter()
        .filter(|(_, schema)| is_worth_a_name(schema))
        .collect();
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas {
        for below in schema.as_object_mut().into_iter().flat_map(Map::values_mut) {
            replace(below, &shared);
        }
    }
    replace(&mut document["paths"], &shared);
}

fn is_worth_a_name(schema: &Value) -> bool {
    schema["properties"].is_object() || schema["enum"].is_array()
}

fn replace(value: &mut Value, shared: &[(&String, &Value)]) {
    if value.is_object()
        && let Some((name, _)) = shared.iter().find(|(_, schema)| *schema == value)
    {
        *value = json!({"$ref": format!("#/components/schemas/{name}")});
        return;
    }
    match value {
        Value::Object(object) => object.values_mut().for_each(|below| replace(below, shared)),
        Value::Array(list) => list.iter_mut().for_each(|below| replace(below, shared)),
        _ => {}
    }
}

/// The names of the components that request bodies use.
fn taken(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut queue = Vec::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in item.as_object().into_iter().flat_map(Map::values) {
            references(&operation["requestBody"], &mut queue);
        }
    }
    while let Some(name) = queue.pop() {
        references(&document["components"]["schemas"][&name], &mut queue);
        // A circle of references ends here.
        if !names.insert(name) {
            queue.retain(|each| !names.contains(each));
        }
    }
    names
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            found.extend(reference.and_then(|text| text.rsplit('/').next()).map(str::to_owned));
            object.values().for_each(|below| references(below, found));
        }
        Value::Array(list) => list.iter().for_each(|below| references(below, found)),
        _ => {}
    }
}

/// An answer has every field: what is not known is null. Only fields that cannot be null may be absent.
fn always_there(schema: &mut Map<String, Value>) {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let listed = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|each| each == name))
    };
    let names = fields
        .iter()
        .filter(|(name, field)| is_nullable(field) || listed(name))
        .map(|(name, _)| Value::from(name.as_str()))
        .collect::<Vec<_>>();
    if !names.is_empty() {
        schema.insert("required".to_owned(), names.into());
    }
}

/// Whether null is valid. A schema without a type accepts anything.
pub(super) fn is_nullable(schema: &Value) -> bool {
    let null = json!("null");
    let of_type =
        |schema: &Value| schema["type"] == null || schema["type"].as_array().is_some_and(|all| all.contains(&null));
    let any_of = |key: &str| schema[key].as_array().is_some_and(|all| all.iter().any(is_nullable));
    let constraints = ["type", "$ref", "oneOf", "anyOf", "allOf", "enum"];
    let is_free = constraints.iter().all(|key| schema.get(key).is_none());
    is_free || of_type(schema) || any_of("oneOf") || any_of("anyOf")
}
