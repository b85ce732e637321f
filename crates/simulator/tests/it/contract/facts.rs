//! Extracts the facts that the contract checks from dbt's OpenAPI files: methods, paths, parameters, statuses, and the
//! fields of each answer. Texts are left out.
//!
//! A type is written as text: `integer`, `string`, `number`, `boolean`, `object`, `any`, the name of a shape, `[T]` for a
//! list, `{T}` for a map, `A|B` for alternatives, `T?` for a nullable type; an object of JSON Schema keywords where there
//! are limits. A shape is an object of fields (`name!` is required), a list of allowed values, or one type.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// Keywords that describe and do not restrict.
const PROSE: [&str; 9] = [
    "title",
    "description",
    "example",
    "default",
    "format",
    "readOnly",
    "writeOnly",
    "write_only",
    "discriminator",
];

/// Keywords that are kept as they are.
const LIMITS: [&str; 7] = [
    "const",
    "exclusiveMinimum",
    "maximum",
    "maxLength",
    "minimum",
    "minLength",
    "pattern",
];

/// The facts of `openapi-v2.yaml` and `openapi-v3.yaml` in a folder.
pub(super) fn read(folder: &Path) -> Value {
    let facts = ["v2", "v3"].map(|version| {
        let path = folder.join(format!("openapi-{version}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (version.to_owned(), of_document(&serde_saphyr::from_str(&text).unwrap()))
    });
    Value::Object(facts.into_iter().collect())
}

fn of_document(document: &Value) -> Value {
    let mut shapes = BTreeMap::new();
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            operations.insert(name, of_operation(operation, document, &mut shapes));
        }
    }
    json!({ "operations": operations, "shapes": shapes })
}

fn of_operation(operation: &Value, document: &Value, shapes: &mut BTreeMap<String, Value>) -> Value {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut query: Vec<String> = parameters
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| marked(parameter["name"].as_str().unwrap(), parameter["required"] == true))
        .collect();
    query.sort();
    let answers = operation["responses"].as_object().unwrap().iter();
    let answers: BTreeMap<String, Value> = answers
        .map(|(status, answer)| {
            let schema = &answer["content"]["application/json"]["schema"];
            let shape = if schema.is_null() {
                Value::Null
            } else {
                collect(schema, document, shapes);
                of_type(schema)
            };
            (status.clone(), shape)
        })
        .collect();
    json!({ "query": query, "answers": answers })
}

fn marked(name: &str, required: bool) -> String {
    format!("{name}{}", if required { "!" } else { "" })
}

fn target(reference: &Value) -> Option<&str> {
    reference.as_str()?.strip_prefix("#/components/schemas/")
}

/// Adds every shape that a schema refers to, directly or through others.
fn collect(schema: &Value, document: &Value, shapes: &mut BTreeMap<String, Value>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect(item, document, shapes)),
        Value::Object(object) => {
            if let Some(name) = object.get("$ref").and_then(target)
                && !shapes.contains_key(name)
            {
                let found = &document["components"]["schemas"][name];
                shapes.insert(name.to_owned(), of_shape(found));
                collect(found, document, shapes);
            }
            let parts = object.iter().filter(|(key, _)| *key != "discriminator");
            parts.for_each(|(_, part)| collect(part, document, shapes));
        }
        _ => {}
    }
}

fn of_shape(schema: &Value) -> Value {
    if let Some(values) = schema.get("enum") {
        return values.clone();
    }
    let Some(properties) = schema["properties"].as_object() else {
        return of_type(schema);
    };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = properties
        .iter()
        .map(|(name, field)| (marked(name, required.contains(&json!(name))), of_type(field)));
    json!(fields.collect::<BTreeMap<_, _>>())
}

fn of_type(schema: &Value) -> Value {
    let object = schema.as_object().unwrap();
    let limits: BTreeMap<String, Value> = object
        .iter()
        .filter(|(key, _)| LIMITS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if limits.is_empty() {
        return Value::String(notation(schema));
    }
    let mut kept = limits;
    kept.insert("type".to_owned(), object["type"].clone());
    json!(kept)
}

/// Fails on a keyword that it does not understand, so that no restriction is lost unseen.
fn notation(schema: &Value) -> String {
    let object = schema.as_object().unwrap();
    let keys = object.keys().map(String::as_str);
    let keys: Vec<&str> = keys.filter(|key| !PROSE.contains(key) && *key != "nullable").collect();
    let list = |key: &str| schema[key].as_array().unwrap().iter().map(notation).collect::<Vec<_>>();
    let text = match keys[..] {
        [] => "any".to_owned(),
        ["$ref"] => target(&schema["$ref"]).unwrap().to_owned(),
        ["allOf"] if list("allOf").len() == 1 => list("allOf").remove(0),
        ["anyOf"] => list("anyOf").join("|"),
        ["oneOf"] => list("oneOf").join("|"),
        ["items", "type"] => format!("[{}]", notation(&schema["items"])),
        ["additionalProperties", "type"] => format!("{{{}}}", notation(&schema["additionalProperties"])),
        ["type"] => schema["type"].as_str().unwrap().to_owned(),
        _ => panic!("the facts cannot express {keys:?} of {schema}"),
    };
    let nullable = if schema["nullable"] == true { "?" } else { "" };
    format!("{text}{nullable}")
}
