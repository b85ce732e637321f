//! Applies faults: delays and resets around the work, changes to the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::connection::ConnectionHandle;
use crate::dispatch::dispatch;
use crate::faults::{Effect, Fault, FaultBody};
use crate::refusal::{Refusal, usual_refusal};
use crate::reply::success_status;
use crate::response::{html_page, json_response, typed, with_body};
use crate::state::State;

/// Dispatches a request unless a fault prevents it. No response means that the connection was broken.
pub(crate) async fn with_faults(
    state: &Arc<State>,
    connection: &ConnectionHandle,
    faults: Vec<Fault>,
    parts: Parts,
    body: Bytes,
) -> (Option<&'static str>, Option<Response>) {
    pause(faults.iter().map(|fault| fault.delay_before_ms).sum()).await;
    let decisive = faults.iter().map(|fault| &fault.effect).find(|effect| {
        matches!(
            effect,
            Effect::Answer { .. }
                | Effect::ResetBefore
                | Effect::ResetAfter
                | Effect::Truncate { .. }
                | Effect::Stall { .. }
                | Effect::MalformedJson
        )
    });
    match decisive {
        Some(Effect::ResetBefore) => {
            connection.reset();
            return (None, None);
        }
        Some(Effect::Answer {
            status,
            body,
            headers,
            work_done: false,
        }) => {
            return (None, Some(fault_answer(*status, body, headers)));
        }
        _ => {}
    }
    let (operation, response) = dispatch(state, &parts, body, &faults).await;
    pause(faults.iter().map(|fault| fault.delay_after_ms).sum()).await;
    let response = rewrite(response, &faults).await;
    match decisive {
        Some(Effect::ResetAfter) => {
            connection.reset();
            (operation, None)
        }
        Some(Effect::Answer {
            status, body, headers, ..
        }) => (operation, Some(fault_answer(*status, body, headers))),
        Some(Effect::Truncate { keep_bytes }) => (operation, Some(truncate(response, *keep_bytes).await)),
        Some(Effect::Stall { keep_bytes }) => (operation, Some(stall(response, *keep_bytes).await)),
        Some(Effect::MalformedJson) => (operation, Some(malform(response).await)),
        _ => (operation, Some(response)),
    }
}

async fn pause(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn fault_answer(status: u16, body: &FaultBody, headers: &[(String, String)]) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        FaultBody::Envelope if code.is_success() => {
            json_response(code, &json!({ "status": success_status(), "data": null }))
        }
        FaultBody::Envelope => usual_refusal(status).into_response(),
        FaultBody::Message { user_message } => Refusal::new(code, user_message).into_response(),
        FaultBody::Html => html_page(status),
        FaultBody::Empty => with_body(code, Body::empty()),
        FaultBody::Malformed => typed(code, "application/json", r#"{"status": {"code": 200, "is_success": tr"#),
        FaultBody::Custom { content_type, body } => typed(code, content_type, body.clone()),
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn collect(response: Response) -> (http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 256 * 1024 * 1024).await.unwrap_or_default();
    (parts, bytes)
}

/// Declares the whole length, sends a part, and breaks the connection.
async fn truncate(response: Response, keep: Option<usize>) -> Response {
    let (mut parts, bytes) = collect(response).await;
    let keep = keep.unwrap_or(bytes.len() / 2).min(bytes.len().saturating_sub(1));
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let part = bytes.slice(..keep);
    let head = futures::stream::once(async move { Ok::<_, std::io::Error>(part) });
    // Pending once, so that the server flushes the part first.
    let end = futures::stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    Response::from_parts(parts, Body::from_stream(head.chain(end)))
}

/// Declares the whole length and sends a part; the rest never comes.
async fn stall(response: Response, keep: usize) -> Response {
    let (mut parts, bytes) = collect(response).await;
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let part = Some(bytes.slice(..keep.min(bytes.len()))).filter(|part| !part.is_empty());
    let head = futures::stream::iter(part.map(Ok::<_, std::io::Error>));
    Response::from_parts(parts, Body::from_stream(head.chain(futures::stream::pending())))
}

async fn malform(response: Response) -> Response {
    let (mut parts, bytes) = collect(response).await;
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}

async fn rewrite(response: Response, faults: &[Fault]) -> Response {
    let rewrites = |fault: &&Fault| {
        matches!(
            fault.effect,
            Effect::RunStatus { .. } | Effect::UnknownFields | Effect::Set { .. } | Effect::Remove { .. }
        )
    };
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json || !faults.iter().any(|fault| rewrites(&fault)) {
        return response;
    }
    let (mut parts, bytes) = collect(response).await;
    let Ok(mut body) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    for fault in faults.iter().filter(rewrites) {
        match &fault.effect {
            Effect::Set { pointer, value } => {
                if let Some(place) = body.pointer_mut(pointer) {
                    *place = value.clone();
                }
            }
            Effect::Remove { pointer } => remove(&mut body, pointer),
            _ => {}
        }
        if let Some(data) = body.get_mut("data") {
            each_object(data, &mut |object| match &fault.effect {
                Effect::RunStatus { status, humanized }
                    if object.contains_key("job_definition_id") && object.contains_key("status") =>
                {
                    object.insert("status".to_owned(), json!(status));
                    object.insert("status_humanized".to_owned(), json!(humanized));
                    for flag in ["is_complete", "is_success", "is_error", "is_cancelled", "is_running"] {
                        object.insert(flag.to_owned(), json!(false));
                    }
                }
                Effect::UnknownFields => {
                    object.insert("a_field_of_next_year".to_owned(), json!({ "nested": [1, "two", null] }));
                }
                _ => {}
            });
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body.to_string()))
}

/// Removes a field of an object or an entry of a list.
fn remove(body: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    match body.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.remove(last);
        }
        Some(Value::Array(entries)) => {
            if let Some(index) = last.parse().ok().filter(|index: &usize| *index < entries.len()) {
                entries.remove(index);
            }
        }
        _ => {}
    }
}

/// The object itself, or each object of a list.
fn each_object(data: &mut Value, change: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    match data {
        Value::Object(object) => change(object),
        Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        _ => {}
    }
}
