//! dbt's specification, made fit for a validator of JSON Schema 2020-12.
//!
//! What is bent, and why: `nullable` becomes a union with null; the fields in `nullable.txt` may be null because dbt sends
//! null there; `oneOf` becomes `anyOf`, since the alternatives of credentials do not exclude each other; and two answers
//! that the specification types as one object are lists in truth.

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::walk::Answered;

/// `data` is typed as one object there, but these are lists.
const LISTS_IN_TRUTH: [&str; 2] = ["AccountConnectionListResponse", "ProfileListResponse"];

const NULLABLE: &str = include_str!("../../contract/nullable.txt");

pub(super) struct Specification {
    documents: BTreeMap<&'static str, Value>,
}

pub(super) enum Verdict {
    NotSpecified,
    Obeyed,
    Violated(Vec<String>),
}

#[expect(clippy::print_stderr, reason = "whoever runs the test must see what was not tested")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

impl Specification {
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let mut documents = BTreeMap::new();
        for version in ["v2", "v3"] {
            let text = std::fs::read_to_string(folder.join(format!("openapi-{version}.yaml"))).ok()?;
            let mut document: Value = serde_saphyr::from_str(&text).unwrap();
            bend(&mut document);
            allow_nulls(&mut document);
            documents.insert(version, document);
        }
        Some(Self { documents })
    }

    /// How many operations each version has.
    pub(super) fn count(&self) -> (usize, usize) {
        let count = |version: &str| {
            let paths = self.documents[version]["paths"].as_object().unwrap();
            let operations = paths.values().map(|path| path.as_object().unwrap());
            operations
                .flat_map(|path| path.keys())
                .filter(|key| !key.starts_with("x-") && *key != "parameters")
                .count()
        };
        (count("v2"), count("v3"))
    }

    /// `name` is `GET /api/v2/…`.
    pub(super) fn check(&self, name: &str, answer: &Answered) -> Verdict {
        let (method, path) = name.split_once(' ').unwrap();
        let version = if path.starts_with("/api/v2/") { "v2" } else { "v3" };
        let document = &self.documents[version];
        let operation = &document["paths"][path][method.to_lowercase()];
        if operation.is_null() {
            return Verdict::NotSpecified;
        }
        let responses = operation["responses"].as_object().unwrap();
        let Some(response) = responses.get(&answer.status.to_string()) else {
            let known: Vec<_> = responses.keys().collect();
            return Verdict::Violated(vec![format!("status {} is not among {known:?}", answer.status)]);
        };
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() {
            return Verdict::Obeyed;
        }
        let mut whole = schema.clone();
        whole["components"]["schemas"] = reachable(schema, &document["components"]["schemas"]);
        let validator: Validator = jsonschema::options()
            .should_validate_formats(false)
            .build(&whole)
            .unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&answer.body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if problems.is_empty() {
            Verdict::Obeyed
        } else {
            Verdict::Violated(problems)
        }
    }
}

/// The schemas that one refers to, directly or through others: a validator of all of them takes long to build.
fn reachable(from: &Value, schemas: &Value) -> Value {
    let mut found = serde_json::Map::new();
    let mut left = vec![from];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(object) => {
                left.extend(object.values());
                let target = object
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|path| path.rsplit('/').next());
                if let Some(name) = target.filter(|name| !found.contains_key(*name)) {
                    found.insert(name.to_owned(), schemas[name].clone());
                    left.push(&schemas[name]);
                }
            }
            _ => {}
        }
    }
    Value::Object(found)
}

/// 3.0 spellings to those of 2020-12, everywhere.
fn bend(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(bend),
        Value::Object(object) => {
            object.values_mut().for_each(bend);
            if let Some(alternatives) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), alternatives);
            }
            if object.get("nullable") == Some(&json!(true)) {
                object.remove("nullable");
                let schema = std::mem::take(object);
                object.insert("anyOf".to_owned(), json!([schema, { "type": "null" }]));
            }
        }
        _ => {}
    }
}

fn allow_nulls(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    for line in NULLABLE
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (schema, fields) = line.split_once(':').unwrap();
        for field in fields.split_whitespace() {
            let properties = schemas
                .get_mut(schema)
                .and_then(|schema| schema["properties"].as_object_mut());
            if let Some(property) = properties.and_then(|properties| properties.get_mut(field)) {
                *property = json!({ "anyOf": [property.clone(), { "type": "null" }] });
            }
        }
    }
    for name in LISTS_IN_TRUTH {
        if let Some(data) = schemas.get_mut(name).map(|schema| &mut schema["properties"]["data"])
            && data["type"] != "array"
        {
            *data = json!({ "type": "array", "items": data.clone() });
        }
    }
}

#[test]
fn every_line_of_the_nullable_list_names_a_schema_and_its_fields() {
    for line in NULLABLE
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        assert!(
            line.split_once(':')
                .is_some_and(|(_, fields)| !fields.trim().is_empty()),
            "{line}"
        );
    }
}
