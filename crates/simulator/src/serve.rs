//! Serves a request to dbt's APIs: records it, applies faults, dispatches it.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::connection::ConnectionHandle;
use crate::fault_effects;
use crate::recorder::RecordedRequest;
use crate::refusal::Refusal;
use crate::state::State;

pub(crate) async fn serve(state: Arc<State>, connection: ConnectionHandle, request: http::Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, state.max_body_bytes).await;
    let too_long = body.is_err();
    let body = body.unwrap_or_default();
    let sequence = state.recorder.begin(record(&state, &parts, &body));
    if too_long {
        let response = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large.").into_response();
        state.recorder.finish(sequence, None, Some(response.status().as_u16()));
        return response;
    }
    let query = parts.uri.query().unwrap_or_default();
    let faults = state.faults.matching(parts.method.as_str(), parts.uri.path(), query);
    let (operation, response) = fault_effects::with_faults(&state, &connection, faults, parts, body).await;
    let status = response.as_ref().map(|response| response.status().as_u16());
    state.recorder.finish(sequence, operation, status);
    // Nothing is written to a broken connection, so any response will do.
    response.unwrap_or_else(|| Response::new(Body::empty()))
}

fn record(state: &State, parts: &Parts, body: &Bytes) -> RecordedRequest {
    let value = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    RecordedRequest {
        sequence: 0,
        at: state.clock.now(),
        method: parts.method.to_string(),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(|| parts.uri.path().to_owned(), ToString::to_string),
        headers: parts
            .headers
            .iter()
            .map(|(name, text)| (name.to_string(), value(text)))
            .collect(),
        body: body.clone(),
        operation: None,
        status: None,
    }
}
