//! Checks answers against the committed facts of dbt's specification, which are turned into JSON Schema 2020-12.
//!
//! Three deviations from the specification: the fields in `nullable.txt` may be null because dbt sends null there; the
//! alternatives of a type do not exclude each other; two answers whose `data` is specified as one object are lists.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::walk::Answered;

const NULLABLE: &str = include_str!("../../contract/nullable.txt");
const LISTS: [&str; 2] = ["AccountConnectionListResponse", "ProfileListResponse"];

pub(super) struct Specification {
    versions: BTreeMap<String, Version>,
}

struct Version {
    /// Keyed by `GET /api/v2/…`; the shapes keyed by status.
    operations: BTreeMap<String, BTreeMap<String, Value>>,
    shapes: Map<String, Value>,
}

impl Specification {
    /// `facts` as the module of that name extracts them.
    pub(super) fn from_facts(facts: &Value) -> Self {
        let versions = facts.as_object().unwrap().iter();
        let versions = versions.map(|(name, facts)| {
            let operations = facts["operations"].as_object().unwrap().iter();
            let operations = operations.map(|(name, operation)| {
                let answers = operation["answers"].as_object().unwrap().clone();
                (name.clone(), answers.into_iter().collect())
            });
            let shapes = facts["shapes"].as_object().unwrap().iter();
            let mut shapes = shapes
                .map(|(name, shape)| (name.clone(), shape_schema(shape)))
                .collect();
            apply_deviations(&mut shapes);
            let operations = operations.collect();
            (name.clone(), Version { operations, shapes })
        });
        Self {
            versions: versions.collect(),
        }
    }

    /// Every specified operation as `GET /api/v2/…`, sorted.
    pub(super) fn operations(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .versions
            .values()
            .flat_map(|version| version.operations.keys().cloned())
            .collect();
        all.sort();
        all
    }

    /// What is wrong with an answer of an operation (`GET /api/v2/…`); `None` when the operation is not specified.
    pub(super) fn violations(&self, operation: &str, answer: &Answered) -> Option<Vec<String>> {
        let mut versions = self.versions.values();
        let (version, answers) = versions.find_map(|version| Some((version, version.operations.get(operation)?)))?;
        let Some(shape) = answers.get(&answer.status.to_string()) else {
            let specified: Vec<_> = answers.keys().collect();
            return Some(vec![format!("status {} is not among {specified:?}", answer.status)]);
        };
        if shape.is_null() {
            return Some(Vec::new());
        }
        let mut schema = type_schema(shape);
        let shapes = reachable(&schema, &version.shapes);
        schema["$defs"] = shapes;
        let validator = jsonschema::options()
            .should_validate_formats(false)
            .build(&schema)
            .unwrap();
        let errors = validator.iter_errors(&answer.body);
        Some(
            errors
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect(),
        )
    }
}

/// The shapes that a schema refers to, directly or through others: a validator of all of them takes long to build.
fn reachable(from: &Value, shapes: &Map<String, Value>) -> Value {
    let mut found = Map::new();
    let mut left = vec![from];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(object) => {
                left.extend(object.values());
                let name = object
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|path| path.strip_prefix("#/$defs/"));
                if let Some(name) = name.filter(|name| !found.contains_key(*name)) {
                    found.insert(name.to_owned(), shapes[name].clone());
                    left.push(&shapes[name]);
                }
            }
            _ => {}
        }
    }
    Value::Object(found)
}

fn shape_schema(shape: &Value) -> Value {
    match shape {
        Value::Array(values) => json!({ "enum": values }),
        Value::Object(fields) => {
            let required: Vec<&str> = fields.keys().filter_map(|name| name.strip_suffix('!')).collect();
            let properties = fields
                .iter()
                .map(|(name, field)| (name.trim_end_matches('!').to_owned(), type_schema(field)));
            let properties: Map<String, Value> = properties.collect();
            json!({ "type": "object", "properties": properties, "required": required })
        }
        other => type_schema(other),
    }
}

fn type_schema(written: &Value) -> Value {
    match written.as_str() {
        Some(text) => parse(text),
        None => written.clone(),
    }
}

/// Reads the notation that `facts` documents. Alternatives occur at the outermost level only.
fn parse(text: &str) -> Value {
    let inside = |open: char, close: char| text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    if let Some(inner) = inside('[', ']') {
        return json!({ "type": "array", "items": parse(inner) });
    }
    if let Some(inner) = inside('{', '}') {
        return json!({ "type": "object", "additionalProperties": parse(inner) });
    }
    if let Some(inner) = text.strip_suffix('?') {
        return or_null(&parse(inner));
    }
    if text.contains('|') {
        let alternatives: Vec<Value> = text.split('|').map(parse).collect();
        return json!({ "anyOf": alternatives });
    }
    match text {
        "any" => json!({}),
        "integer" | "number" | "string" | "boolean" | "object" | "array" => json!({ "type": text }),
        shape => json!({ "$ref": format!("#/$defs/{shape}") }),
    }
}

fn or_null(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn apply_deviations(shapes: &mut Map<String, Value>) {
    for (shape, fields) in nullable() {
        let Some(properties) = shapes
            .get_mut(shape)
            .and_then(|shape| shape["properties"].as_object_mut())
        else {
            continue;
        };
        for field in fields {
            if let Some(property) = properties.get_mut(field) {
                *property = or_null(property);
            }
        }
    }
    for name in LISTS {
        if let Some(data) = shapes.get_mut(name).map(|shape| &mut shape["properties"]["data"])
            && data["type"] != "array"
        {
            *data = json!({ "type": "array", "items": data.clone() });
        }
    }
}

fn nullable() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let lines = NULLABLE.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let (shape, fields) = line.split_once(':').unwrap_or((line, ""));
        (shape, fields.split_whitespace().collect())
    })
}

#[test]
fn every_line_of_the_nullable_list_names_a_schema_and_its_fields() {
    for (shape, fields) in nullable() {
        assert!(!fields.is_empty(), "{shape}");
    }
}

#[test]
fn wrong_statuses_types_nulls_values_and_missing_fields_are_violations() {
    let facts = json!({ "v2": {
        "operations": { "GET /x/": { "query": [], "answers": { "200": "Thing", "204": null } } },
        "shapes": {
            "Thing": { "id!": "integer", "tags": "[string]", "kind": "Kind", "by_name": "{Kind}", "note": "string?",
                "port": { "type": "integer", "maximum": 9 } },
            "Kind": ["a", "b"],
        },
    } });
    let specification = Specification::from_facts(&facts);
    let violations = |status: u16, body: Value| {
        let found = specification.violations("GET /x/", &Answered { status, body });
        found.expect("specified").len()
    };
    let right =
        json!({ "id": 1, "tags": ["t"], "kind": "a", "by_name": { "x": "b" }, "note": null, "port": 9, "more": 1 });
    assert_eq!(violations(200, right), 0);
    assert_eq!(violations(204, Value::Null), 0);
    for (status, wrong) in [
        (201, json!({ "id": 1 })),
        (200, json!({})),
        (200, json!({ "id": null })),
        (200, json!({ "id": "1" })),
        (200, json!({ "id": 1, "tags": [1] })),
        (200, json!({ "id": 1, "kind": "c" })),
        (200, json!({ "id": 1, "by_name": { "x": "c" } })),
        (200, json!({ "id": 1, "port": 10 })),
        (200, json!([])),
    ] {
        assert_eq!(violations(status, wrong.clone()), 1, "{status} {wrong}");
    }
    let unknown = Answered {
        status: 200,
        body: Value::Null,
    };
    assert!(specification.violations("PUT /x/", &unknown).is_none());
}
