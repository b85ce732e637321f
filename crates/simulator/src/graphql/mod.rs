//! The GraphQL APIs: Discovery at `/graphql` and `/beta/graphql`, the Semantic Layer at `/api/graphql`. The answer to a
//! readable request is always 200; errors are in `errors`.

mod discovery;
mod execute;
mod lineage;
mod node;
mod request;
mod semantic_layer;

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use request::GraphqlRequest;

use crate::admission::admit;
use crate::limiter::Budget;
use crate::refusal::Refusal;
use crate::response::json_response;
use crate::state::State;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Discovery,
    SemanticLayer,
}

/// Answers a request to a GraphQL path; `None` for other paths.
pub(crate) fn route(state: &Arc<State>, parts: &Parts, body: &Bytes) -> Option<(Option<&'static str>, Response)> {
    let switches = state.switches();
    let (template, api) = match parts.uri.path().trim_end_matches('/') {
        "/graphql" => ("/graphql", Api::Discovery),
        "/beta/graphql" if switches.beta_graphql => ("/beta/graphql", Api::Discovery),
        "/api/graphql" => ("/api/graphql", Api::SemanticLayer),
        _ => return None,
    };
    let response = if parts.method == Method::POST {
        answer(state, parts, body, api)
    } else {
        Refusal::wrong_method().into_response()
    };
    Some((Some(template), response))
}

fn answer(state: &Arc<State>, parts: &Parts, body: &Bytes, api: Api) -> Response {
    let switches = state.switches();
    let uses_token = parts
        .headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().starts_with(b"Token "));
    if api == Api::SemanticLayer && uses_token && !switches.semantic_layer_takes_token {
        return Refusal::unauthorized().into_response();
    }
    let budget = if api == Api::Discovery {
        Budget::Discovery
    } else {
        Budget::Admin
    };
    let mut world = state.world();
    let caller = match admit(state, &mut world, parts, &switches, budget) {
        Ok(caller) => caller,
        // The words that dbt's own SDK knows.
        Err(refused) if api == Api::SemanticLayer && refused.status() == StatusCode::UNAUTHORIZED => {
            return json_response(StatusCode::UNAUTHORIZED, &problem("User is not authorized"));
        }
        Err(refused) => return *refused,
    };
    let Some(request) = GraphqlRequest::read(body) else {
        return json_response(StatusCode::BAD_REQUEST, &problem("POST body must contain a query."));
    };
    let now = state.clock.now();
    let data = match api {
        Api::Discovery => discovery::answer(&world, &caller, &request, now),
        Api::SemanticLayer => semantic_layer::answer(&mut world, &caller, &request, now),
    };
    json_response(StatusCode::OK, &data)
}

fn problem(message: &str) -> Value {
    json!({ "errors": [{ "message": message }] })
}
