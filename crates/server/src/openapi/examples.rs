//! Examples that work in the demo, for every parameter and body; those of answers have every field.
//!
//! The explorer fills a parameter in with its `example`. Hence a required parameter and the account have one; the example of
//! an optional parameter is in its schema (`examples`), so that it is shown and not sent.

use serde_json::{Map, Value, json};

use super::headers::EXAMPLE_UUID;
use super::schemas::is_nullable;
use super::walk::{name_of, operations, resolved};

/// Adds the examples.
pub(super) fn complete(document: &mut Value) {
    let snapshot = document.clone();
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas {
        if let Some(mut example) = schema.get("example").cloned() {
            fill(&snapshot, schema, &mut example);
            schema["example"] = example;
        }
    }
    let snapshot = document.clone();
    for (_, _, operation) in operations(document) {
        let name = name_of(operation);
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            of_parameter(&snapshot, &name, parameter);
        }
        if let Some(body) = operation.get_mut("requestBody") {
            of_contents(&snapshot, body);
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        responses
            .into_iter()
            .flatten()
            .for_each(|(_, response)| of_contents(&snapshot, response));
    }
}

/// Adds null for each field that the schema requires and the example lacks.
fn fill(document: &Value, schema: &Value, example: &mut Value) {
    let schema = resolved(document, schema);
    if let (Some(fields), Some(known)) = (example.as_object_mut(), schema["properties"].as_object()) {
        for (name, field) in known {
            let is_required = schema["required"]
                .as_array()
                .is_some_and(|all| all.iter().any(|each| each == name));
            if is_required && is_nullable(field) {
                fields.entry(name.clone()).or_insert(Value::Null);
            }
            if let Some(value) = fields.get_mut(name) {
                fill(document, field, value);
            }
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for part in schema[key].as_array().into_iter().flatten() {
            // Of several shapes the one with the example's fields.
            if key == "allOf" || fits(document, part, example) {
                fill(document, part, example);
            }
        }
    }
    example
        .as_array_mut()
        .into_iter()
        .flatten()
        .for_each(|entry| fill(document, &schema["items"], entry));
}

fn fits(document: &Value, schema: &Value, example: &Value) -> bool {
    let schema = resolved(document, schema);
    let known = schema["properties"].as_object();
    known.is_some_and(|known| {
        example
            .as_object()
            .is_some_and(|all| all.keys().all(|name| known.contains_key(name)))
    })
}

fn of_contents(document: &Value, holder: &mut Value) {
    let contents = holder.get_mut("content").and_then(Value::as_object_mut);
    for (_, content) in contents.into_iter().flatten() {
        if content.get("schema").is_none() {
            continue;
        }
        if content["example"].is_null() && content["examples"].is_null() {
            let line = content.get("x-item-schema").and_then(|of| example_of(document, of));
            let lines = line.map(|line| format!("{line}\n").into());
            if let Some(example) = lines.or_else(|| example_of(document, &content["schema"])) {
                content["example"] = example;
            }
        }
    }
}

/// The example of a schema, or the one that its fields and entries make.
fn example_of(document: &Value, schema: &Value) -> Option<Value> {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example") {
        return Some(example.clone());
    }
    if let Some(fields) = schema["properties"].as_object() {
        let example = |(name, field): (&String, &Value)| Some((name.clone(), example_of(document, field)?));
        return Some(fields.iter().filter_map(example).collect::<Map<_, _>>().into());
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts
            .iter()
            .filter_map(|part| example_of(document, part)?.as_object().cloned());
        return Some(parts.flatten().collect::<Map<_, _>>().into());
    }
    Some(json!([example_of(document, schema.get("items")?)?]))
}

fn of_parameter(document: &Value, operation: &str, parameter: &mut Value) {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    let own = parameter.as_object_mut().and_then(|all| all.remove("example"));
    let schema = resolved(document, &parameter["schema"]);
    let derived = || {
        let word = schema["enum"][0].as_str().map(Value::from);
        let entry = resolved(document, &schema["items"])["enum"][0]
            .as_str()
            .map(|word| json!([word]));
        let flag = (schema["type"] == "boolean").then_some(json!(true));
        schema.get("default").cloned().or(word).or(entry).or(flag)
    };
    let Some(example) = in_demo(operation, &name).or(own).or_else(derived) else {
        return;
    };
    if parameter["required"] == true || name == "account_id" {
        parameter["example"] = example;
    } else if parameter["schema"]["$ref"].is_string() {
        parameter["schema"] = json!({"allOf": [parameter["schema"].clone()], "examples": [example]});
    } else {
        parameter["schema"]["examples"] = json!([example]);
    }
}

/// The things of the demo, by the names of parameters.
fn in_demo(operation: &str, parameter: &str) -> Option<Value> {
    Some(match (operation, parameter) {
        // A failed run, which can be retried; a cancelled one, which may be cancelled again.
        ("get_run_failure" | "get_retry_preview" | "retry_run", "run_id") => json!(70_403_104_000_902_i64),
        ("cancel_run", "run_id") => json!(70_403_104_000_903_i64),
        (_, "run_id") => json!(70_403_104_000_901_i64),
        // One of the many refresh jobs.
        ("delete_job", "job_id") => json!(70_403_103_941_001_i64),
        (_, "job_id") => json!(70_403_103_940_001_i64),
        ("list_jobs" | "list_runs" | "list_environments", "project_id") => json!([70_403_103_920_001_i64]),
        (_, "project_id") => json!(70_403_103_920_001_i64),
        (_, "account_id") => json!(70_403_103_900_001_i64),
        (_, "environment_id") => json!(70_403_103_930_001_i64),
        (_, "connection_id") => json!(70_403_103_960_001_i64),
        (_, "credentials_id") => json!(70_403_103_962_001_i64),
        // The key that the example of `create_api_key` makes, after the two of the demo.
        ("revoke_api_key", "api_key_id") => json!(3),
        (_, "api_key_id") => json!(1),
        (_, "credential") | ("get_credential" | "verify_credential", "name") => json!("default"),
        // The one that the example of `create_credential` makes.
        ("update_credential" | "delete_credential", "name") => json!("second"),
        ("list_projects", "name") => json!("Customer 360"),
        ("list_jobs", "name") => json!("Nightly build"),
        ("list_environments", "name") => json!("Production"),
        ("list_connections", "name") => json!("Warehouse"),
        (_, "name_contains") => json!("a"),
        (_, "adapter_version") => json!("postgres_v0"),
        (_, "path") => json!("run_results.json"),
        (_, "request_uuid") => json!(EXAMPLE_UUID),
        (_, "cursor") => json!("AAZNX07T0AABnio7XG1-j5oLHC0-T1pr"),
        (_, "status_code") => json!(200),
        (_, "page_size") => json!(100),
        (_, "created_after" | "finished_after") => json!("2026-03-19T00:00:00Z"),
        (_, "created_before" | "finished_before") => json!("2026-03-20T00:00:00Z"),
        (_, "request-timeout") => json!(60),
        (_, "idempotency-key") => json!("orders-2026-03-19"),
        _ => return None,
    })
}
