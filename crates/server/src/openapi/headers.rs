//! Headers: those that a request to dbt Cloud may have, and those that answers have.

use model::RequestType;
use serde_json::{Map, Value, json};

use super::walk::{name_of, operations, parameters};
use crate::headers::MAX_TIMEOUT_SECONDS;
use crate::problem::Kind;

/// The UUID of the examples.
pub(super) const EXAMPLE_UUID: &str = "019e2a3b-5c6d-7e8f-9a0b-1c2d3e4f5a6b";

/// The operation's name in the table of requests; `None` for what needs no key.
pub(super) fn request_type(operation: &Map<String, Value>) -> Option<RequestType> {
    RequestType::from_name(&name_of(operation))
}

/// Whether the operation asks dbt Cloud.
pub(super) fn asks_dbt(operation: &Map<String, Value>) -> bool {
    request_type(operation).is_some_and(|request| request.client_type().is_some())
}

/// Adds the headers of requests, and the components of those that answers refer to.
pub(super) fn complete(document: &mut Value) {
    for (_, _, operation) in operations(document) {
        if asks_dbt(operation) {
            let all = operation.entry("parameters").or_insert_with(|| json!([]));
            all.as_array_mut()
                .into_iter()
                .for_each(|all| all.push(request_timeout()));
        }
    }
    document["components"]["headers"] = components();
}

fn request_timeout() -> Value {
    json!({
        "name": "request-timeout", "in": "header", "required": false,
        "description": "How long the caller waits, in seconds. Then the answer is 504 `dbt-timeout`; a change goes on, and its \
                        row in the request log tells its outcome.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_TIMEOUT_SECONDS},
    })
}

fn components() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "RequestId": {
            "description": "The request's UUID, as in its row, its log lines and its problem.",
            "required": true, "schema": {"type": "string", "format": "uuid"}, "example": EXAMPLE_UUID,
        },
        "RetryAfter": {
            "description": "The number of seconds to wait, from 1, if known.",
            "schema": {"type": "integer", "minimum": 1}, "example": 2,
        },
        "Authenticate": {
            "description": "How a key is sent.", "required": true, "schema": {"const": "Bearer"}, "example": "Bearer",
        },
        "Cache": {
            "description": "Where the answer is from. `miss`: dbt Cloud was asked for this request. `coalesced`: another \
                            request asked the same at the same time. `hit`: a stored answer. `stale`: a stored answer that is \
                            out of date, since dbt Cloud did not answer.",
            "schema": {"type": "string", "enum": ["miss", "coalesced", "hit", "stale"]}, "example": "miss",
        },
        "Age": {
            "description": "The age of an answer that is not a `miss`, in seconds.",
            "schema": {"type": "integer", "minimum": 0}, "example": 1,
        },
        "RunOrigin": of_run(true),
        "RunOriginIfRun": of_run(false),
        "RunLocation": {
            "description": "The address of the run, if the answer is one.", "schema": text(), "example": "/runs/70403104000901",
        },
        "IdempotencyReplayed": {
            "description": "`true` where the answer repeats the first one to the same `Idempotency-Key`.",
            "schema": {"const": "true"}, "example": "true",
        },
        "ETag": {"description": "The version of the file.", "schema": text(), "example": "\"33a64df5\""},
        "LastModified": {
            "description": "When the file was written.", "schema": text(), "example": "Thu, 19 Mar 2026 12:00:00 GMT",
        },
        "AcceptRanges": {"description": "Whether `Range` is possible.", "schema": text(), "example": "bytes"},
        "ContentRange": {"description": "Which bytes these are.", "schema": text(), "example": "bytes 0-99/1234"},
        "ContentDisposition": {
            "description": "The name of the file.", "schema": text(), "example": "attachment; filename=\"manifest.json\"",
        },
        "CacheControl": {"description": "How long the file may be stored.", "schema": text(), "example": "no-store"},
        "RateLimitRetryAfter": {
            "description": "The number of seconds after which dbt Cloud takes requests again.", "schema": text(), "example": "45",
        },
    })
}

fn of_run(required: bool) -> Value {
    let mut header = json!({
        "description": "Where the run comes from. `started`: this request started it. `resolved`: dbt Cloud's answer was lost, \
                        and the run was found. `reused`: it was active before. `replayed`: an earlier request started it.",
        "schema": {"type": "string", "enum": ["started", "resolved", "reused", "replayed"]}, "example": "started",
    });
    if required {
        header["required"] = true.into();
    }
    header
}

fn referred(headers: &mut Value, name: &str, component: &str) {
    headers[name] = json!({"$ref": format!("#/components/headers/{component}")});
}

/// The headers of an answer that is not a problem, besides those that its handler documents.
pub(super) fn of_answer(operation: &Map<String, Value>, status: &str, response: &mut Value) {
    let headers = &mut response["headers"];
    // A handler documents what every such answer has.
    for (_, header) in headers.as_object_mut().into_iter().flatten() {
        header["required"] = true.into();
    }
    referred(headers, "x-request-id", "RequestId");
    if asks_dbt(operation) {
        of_source(headers);
    }
    if status.starts_with('2') && request_type(operation).is_some_and(|it| RequestType::STARTS_RUN.contains(&it)) {
        if status == "201" {
            referred(headers, "x-run-origin", "RunOrigin");
        } else {
            referred(headers, "x-run-origin", "RunOriginIfRun");
            referred(headers, "location", "RunLocation");
        }
    }
    let has_key = parameters(operation).any(|each| each["name"] == "idempotency-key");
    // A new API key is shown once.
    if has_key && name_of(operation) != "create_api_key" && status.starts_with('2') {
        referred(headers, "idempotency-replayed", "IdempotencyReplayed");
    }
    if name_of(operation).ends_with("_artifact") {
        of_file(headers);
    }
}

/// The headers of a file that are passed on.
fn of_file(headers: &mut Value) {
    for (name, component) in [
        ("etag", "ETag"),
        ("last-modified", "LastModified"),
        ("accept-ranges", "AcceptRanges"),
        ("content-range", "ContentRange"),
        ("content-disposition", "ContentDisposition"),
        ("cache-control", "CacheControl"),
        ("retry-after", "RetryAfter"),
        ("x-rate-limit-retry-after-seconds", "RateLimitRetryAfter"),
    ] {
        referred(headers, name, component);
    }
}

fn of_source(headers: &mut Value) {
    referred(headers, "x-cache", "Cache");
    referred(headers, "age", "Age");
}

/// The headers of a problem of these kinds.
pub(super) fn of_problem(kinds: &[&Kind], asks_dbt: bool) -> Value {
    let mut headers = json!({});
    referred(&mut headers, "x-request-id", "RequestId");
    if kinds.iter().any(|kind| kind.may_wait()) {
        referred(&mut headers, "retry-after", "RetryAfter");
    }
    if kinds.iter().any(|kind| kind.path() == Kind::UNAUTHENTICATED.path()) {
        referred(&mut headers, "www-authenticate", "Authenticate");
    }
    if asks_dbt {
        of_source(&mut headers);
    }
    headers
}
