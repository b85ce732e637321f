//! Completes the answers of each operation: what a success holds, and the problems that its extractors, its request type
//! and its route make possible. A handler documents only its successes.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use model::{Effect, RequestType, Role};
use serde_json::{Map, Value, json};

use super::walk::{name_of, operations, parameters, resolved};
use crate::problem::Kind;

const PROBLEM_JSON: &str = "application/problem+json";
/// The UUID of the examples.
pub(super) const EXAMPLE_UUID: &str = "019e2a3b-5c6d-7e8f-9a0b-1c2d3e4f5a6b";

/// A problem response, by its status and its kinds.
type Kinds = BTreeSet<&'static str>;

/// Adds descriptions, headers and problems.
pub(super) fn complete(document: &mut Value) {
    let snapshot = document.clone();
    let mut used: BTreeMap<(u16, Kinds), usize> = BTreeMap::new();
    for (path, _, operation) in operations(document) {
        for key in by_status(kinds(path, operation)) {
            *used.entry(key).or_default() += 1;
        }
    }
    let shared = most_used(&used);
    for (path, _, operation) in operations(document) {
        let problems = by_status(kinds(path, operation));
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        for (status, response) in responses.iter_mut() {
            describe(&snapshot, status, response);
        }
        for (status, kinds) in problems {
            let is_shared = shared.get(&status) == Some(&kinds);
            let answer = if is_shared {
                json!({"$ref": format!("#/components/responses/Problem{status}")})
            } else {
                problem(status, &kinds)
            };
            match responses.get_mut(&status.to_string()) {
                // The handler's own body, as that of `/readyz`; a problem is possible too.
                Some(own) => {
                    let content = problem(status, &kinds)["content"][PROBLEM_JSON].clone();
                    own["content"][PROBLEM_JSON] = content;
                }
                None => drop(responses.insert(status.to_string(), answer)),
            }
        }
    }
    for (status, kinds) in &shared {
        document["components"]["responses"][format!("Problem{status}")] = problem(*status, kinds);
    }
    document["components"]["headers"]["RequestId"] = json!({
        "description": "The request's UUID, as in its row, its log lines and its problem.",
        "schema": {"type": "string", "format": "uuid"}, "example": EXAMPLE_UUID,
    });
    let named: BTreeSet<_> = used.keys().flat_map(|(_, kinds)| kinds).copied().collect();
    for kind in Kind::ALL.iter().filter(|kind| named.contains(kind.path())) {
        document["components"]["examples"][slug(kind.path())] =
            json!({"summary": kind.title(), "value": example(*kind)});
    }
}

/// For each status the set of kinds that most operations have.
fn most_used(used: &BTreeMap<(u16, Kinds), usize>) -> BTreeMap<u16, Kinds> {
    let mut best: BTreeMap<u16, (usize, &Kinds)> = BTreeMap::new();
    for ((status, kinds), count) in used {
        let entry = best.entry(*status).or_insert((*count, kinds));
        if *count > entry.0 {
            *entry = (*count, kinds);
        }
    }
    best.into_iter()
        .map(|(status, (_, kinds))| (status, kinds.clone()))
        .collect()
}

fn by_status(kinds: Vec<Kind>) -> BTreeMap<u16, Kinds> {
    let mut all: BTreeMap<u16, Kinds> = BTreeMap::new();
    for kind in kinds {
        all.entry(kind.status().as_u16()).or_default().insert(kind.path());
    }
    all
}

/// The problems with which an operation can answer.
fn kinds(path: &str, operation: &Map<String, Value>) -> Vec<Kind> {
    let name = name_of(operation);
    let has = |wanted: &str| parameters(operation).any(|each| each["name"] == wanted);
    // Every request: limits and internal errors.
    let mut kinds = vec![
        Kind::URL_TOO_LONG,
        Kind::HEADERS_TOO_LARGE,
        Kind::SHARE_EXHAUSTED,
        Kind::INTERNAL,
    ];
    if let Some(request) = RequestType::from_name(&name) {
        kinds.extend([
            Kind::UNAUTHENTICATED,
            Kind::COMPANY_SUSPENDED,
            Kind::KEY_RATE_LIMIT,
            Kind::TOO_MANY_FAILED_KEYS,
            Kind::LOG_UNAVAILABLE,
            Kind::BUSY,
            // An unknown parameter, if nothing else.
            Kind::INVALID_REQUEST,
        ]);
        if request.needs() > Role::Viewer || name.starts_with("query_") {
            kinds.push(Kind::FORBIDDEN);
        }
        if request.effect() == Effect::Change || name.starts_with("query_") {
            kinds.push(Kind::READ_ONLY);
        }
        if RequestType::STARTS_RUN.contains(&request) {
            kinds.push(Kind::TRIGGER_UNRESOLVED);
        }
        if request.client_type().is_some() {
            kinds.extend([
                Kind::NOT_FOUND,
                Kind::UNPROCESSABLE,
                Kind::DBT_REFUSED,
                Kind::DBT_CONFLICT,
                Kind::RATE_LIMIT,
                Kind::BUDGET_EXHAUSTED,
                Kind::CIRCUIT_OPEN,
                Kind::CREDENTIALS,
                Kind::CREDENTIAL_UNREADABLE,
                Kind::BAD_GATEWAY,
                Kind::TIMEOUT,
            ]);
        }
    }
    if has("account_id") {
        kinds.push(Kind::AMBIGUOUS_ACCOUNT);
    }
    // A thing in the path, or the account, may not exist for this caller.
    if path.contains('{') || has("account_id") {
        kinds.push(Kind::NOT_FOUND);
    }
    if path.starts_with("/runs/{run_id}") {
        kinds.push(Kind::RUN_NOT_VISIBLE_YET);
    }
    if has("step") {
        kinds.push(Kind::NO_RESULTS);
    }
    if has("idempotency-key") {
        kinds.extend([
            Kind::IDEMPOTENCY_IN_FLIGHT,
            Kind::IDEMPOTENCY_UNRESOLVED,
            Kind::IDEMPOTENCY_MISMATCH,
        ]);
    }
    if path.starts_with("/request-logs") {
        kinds.push(Kind::SEARCH_TOO_BROAD);
    }
    if operation.contains_key("requestBody") {
        kinds.extend([Kind::BODY_TOO_SLOW, Kind::TOO_LARGE, Kind::MEDIA_TYPE]);
    }
    kinds.extend_from_slice(of_operation(&name));
    kinds
}

/// The problems of single operations.
fn of_operation(name: &str) -> &'static [Kind] {
    match name {
        "trigger_job" => &[Kind::RUN_ACTIVE],
        "list_run_events" | "list_events" => &[Kind::TOO_MANY_STREAMS],
        "retry_run" => &[Kind::CANNOT_RETRY],
        "cancel_run" => &[Kind::RUN_FINISHED],
        "query_metadata" | "query_semantic_layer" => &[Kind::GRAPHQL, Kind::TOO_MUCH],
        "create_credential" | "update_credential" => &[Kind::CONFLICT, Kind::NO_ENCRYPTION_KEY, Kind::NOT_FOUND],
        "delete_credential" => &[Kind::CONFLICT],
        "create_api_key" => &[Kind::NOT_FOUND, Kind::IDEMPOTENCY_NOT_REPLAYABLE],
        _ => &[],
    }
}

/// Describes an answer by what it holds, where the handler does not.
fn describe(document: &Value, status: &str, response: &mut Value) {
    response["headers"]["x-request-id"] = json!({"$ref": "#/components/headers/RequestId"});
    if let Some(contents) = response.get_mut("content").and_then(Value::as_object_mut) {
        media_types(contents);
    }
    if response["description"].as_str().is_some_and(|text| !text.is_empty()) {
        return;
    }
    let contents = response["content"].as_object().into_iter().flat_map(Map::values);
    let first = contents.map(|content| resolved(document, &content["schema"])).next();
    let held = first.and_then(|schema| schema["description"].as_str());
    response["description"] = match held {
        Some(text) => text.split("\n\n").next().unwrap_or(text).into(),
        None if status == "204" => "Done; there is no body.".into(),
        None => "Done.".into(),
    };
}

/// A file has the media type that dbt Cloud sends; generators know the general one as bytes. A body of lines is text, each
/// line of which has the schema that the handler gives.
fn media_types(contents: &mut Map<String, Value>) {
    if let Some(file) = contents.get("application/octet-stream").cloned() {
        contents.insert("*/*".to_owned(), file);
    }
    if let Some(lines) = contents.get_mut("application/x-ndjson") {
        lines["x-item-schema"] = lines["schema"].take();
        lines["schema"] =
            json!({"type": "string", "description": "JSON texts, one a line, each as `x-item-schema` describes."});
    }
}

/// The response for these problems of a status.
fn problem(status: u16, paths: &Kinds) -> Value {
    let kinds: Vec<_> = Kind::ALL.iter().filter(|kind| paths.contains(kind.path())).collect();
    let named = |kind: &&Kind| format!("{}: `{}`", kind.title(), kind.path());
    let description = kinds.iter().map(named).collect::<Vec<_>>().join("; ");
    let reference = |kind: &&Kind| {
        let name = slug(kind.path());
        (
            name.to_owned(),
            json!({"$ref": format!("#/components/examples/{name}")}),
        )
    };
    let examples: Map<String, Value> = kinds.iter().map(reference).collect();
    let mut headers = json!({"x-request-id": {"$ref": "#/components/headers/RequestId"}});
    if [429, 502, 503].contains(&status) {
        headers["retry-after"] = json!({
            "description": "The number of seconds to wait, from 1, if known.",
            "schema": {"type": "integer", "minimum": 1}, "example": 2,
        });
    }
    let content = json!({"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples});
    json!({"description": description, "headers": headers, "content": {PROBLEM_JSON: content}})
}

fn slug(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn example(kind: Kind) -> Value {
    let mut example = json!({
        "type": kind.path(), "title": kind.title(), "status": kind.status().as_u16(), "detail": kind.example(),
        "instance": "/runs/70403104000901", "request_uuid": EXAMPLE_UUID,
    });
    if kind.path() == Kind::AMBIGUOUS_ACCOUNT.path() {
        example["accounts"] = json!([70_403_103_900_001_i64, 70_403_103_900_002_i64]);
    }
    if kind.status() == StatusCode::BAD_REQUEST && example["accounts"].is_null() {
        example["errors"] = json!([{"field": "cause", "message": "length is lower than 1"}]);
    }
    example
}
