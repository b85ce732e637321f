//! Completes the answers of each operation: what a success holds, and the problems that its extractors, its request type
//! and its route make possible. A handler documents only its successes.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use model::{Effect, RequestType, Role};
use serde_json::{Map, Value, json};

use super::headers::{self, EXAMPLE_UUID};
use super::walk::{name_of, operations, parameters, resolved};
use crate::problem::Kind;

const PROBLEM_JSON: &str = "application/problem+json";

/// The paths of the kinds of a problem response.
type Kinds = BTreeSet<&'static str>;

/// What makes problem responses of one status the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    kinds: Kinds,
    /// Whether dbt Cloud may have been asked.
    asks_dbt: bool,
}

/// Adds descriptions, headers and problems.
pub(super) fn complete(document: &mut Value) {
    let snapshot = document.clone();
    let mut used: BTreeMap<(u16, Shape), usize> = BTreeMap::new();
    for (path, _, operation) in operations(document) {
        for key in by_status(path, operation) {
            *used.entry(key).or_default() += 1;
        }
    }
    let shared = most_used(&used);
    for (path, _, operation) in operations(document) {
        let problems = by_status(path, operation);
        let before = operation.clone();
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        for (status, response) in responses.iter_mut() {
            describe(&snapshot, &before, status, response);
        }
        for (status, shape) in problems {
            let is_shared = shared.get(&status) == Some(&shape);
            let answer = if is_shared {
                json!({"$ref": format!("#/components/responses/Problem{status}")})
            } else {
                problem(&shape)
            };
            match responses.get_mut(&status.to_string()) {
                // The handler's own body, as that of `/readyz`; a problem is possible too.
                Some(own) => {
                    let content = problem(&shape)["content"][PROBLEM_JSON].clone();
                    own["content"][PROBLEM_JSON] = content;
                }
                None => drop(responses.insert(status.to_string(), answer)),
            }
        }
    }
    for (status, shape) in &shared {
        document["components"]["responses"][format!("Problem{status}")] = problem(shape);
    }
    let named: BTreeSet<_> = used.keys().flat_map(|(_, shape)| &shape.kinds).copied().collect();
    for kind in Kind::ALL.iter().filter(|kind| named.contains(kind.path())) {
        document["components"]["examples"][slug(kind.path())] =
            json!({"summary": kind.title(), "value": example(*kind)});
    }
}

/// For each status the shape that most operations have.
fn most_used(used: &BTreeMap<(u16, Shape), usize>) -> BTreeMap<u16, Shape> {
    let mut best: BTreeMap<u16, (usize, &Shape)> = BTreeMap::new();
    for ((status, shape), count) in used {
        let entry = best.entry(*status).or_insert((*count, shape));
        if *count > entry.0 {
            *entry = (*count, shape);
        }
    }
    best.into_iter()
        .map(|(status, (_, shape))| (status, shape.clone()))
        .collect()
}

fn by_status(path: &str, operation: &Map<String, Value>) -> BTreeMap<u16, Shape> {
    let mut all: BTreeMap<u16, Kinds> = BTreeMap::new();
    for kind in kinds(path, operation) {
        all.entry(kind.status().as_u16()).or_default().insert(kind.path());
    }
    let asks_dbt = headers::asks_dbt(operation);
    all.into_iter()
        .map(|(status, kinds)| (status, Shape { kinds, asks_dbt }))
        .collect()
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
fn describe(document: &Value, operation: &Map<String, Value>, status: &str, response: &mut Value) {
    headers::of_answer(operation, status, response);
    if let Some(contents) = response.get_mut("content").and_then(Value::as_object_mut) {
        media_types(contents, status == "200");
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

/// A file has the media type that dbt Cloud sends; to generators it is bytes. A body of lines is text, each line of which has
/// the schema that the handler gives.
fn media_types(contents: &mut Map<String, Value>, is_whole: bool) {
    if contents.contains_key("application/octet-stream") {
        contents.insert("*/*".to_owned(), json!({}));
        if is_whole {
            let artifact = json!({
                "schema": {"description": "A JSON artifact, as dbt writes it."},
                "example": {"metadata": {"dbt_version": "1.10.0"}, "results": [], "elapsed_time": 12.5},
            });
            contents.insert("application/json".to_owned(), artifact);
        }
    }
    if let Some(lines) = contents.get_mut("application/x-ndjson") {
        lines["x-item-schema"] = lines["schema"].take();
        lines["schema"] =
            json!({"type": "string", "description": "JSON texts, one a line, each as `x-item-schema` describes."});
    }
}

/// The response for these problems of a status.
fn problem(shape: &Shape) -> Value {
    let kinds: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| shape.kinds.contains(kind.path()))
        .collect();
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
    let headers = headers::of_problem(&kinds, shape.asks_dbt);
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
