//! The GraphQL faces: Discovery at `/graphql` and `/beta/graphql`, the Semantic Layer at `/api/graphql`. A request that
//! was understood is answered with 200 whatever it says; problems stand in `errors`.

mod discovery;
mod execute;
mod lineage;
mod node;
mod semantic_layer;

pub(crate) use semantic_layer::SemanticQuery;

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::edge::enter;
use crate::limiter::Budget;
use crate::reply::{self, Refusal};
use crate::state::State;

/// What a client sends.
pub(crate) struct GraphqlRequest {
    pub(crate) query: String,
    pub(crate) variables: Value,
    pub(crate) operation_name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Discovery,
    SemanticLayer,
}

/// Answers a request to a GraphQL path; `None` when the path is none.
pub(crate) fn route(state: &Arc<State>, parts: &Parts, body: &Bytes) -> Option<(Option<&'static str>, Response)> {
    let switches = state.switches();
    let (template, face) = match parts.uri.path().trim_end_matches('/') {
        "/graphql" => ("/graphql", Face::Discovery),
        "/beta/graphql" if switches.beta_graphql => ("/beta/graphql", Face::Discovery),
        "/api/graphql" => ("/api/graphql", Face::SemanticLayer),
        _ => return None,
    };
    let response = if parts.method == Method::POST {
        answer(state, parts, body, face)
    } else {
        Refusal::wrong_method().into_response()
    };
    Some((Some(template), response))
}

fn answer(state: &Arc<State>, parts: &Parts, body: &Bytes, face: Face) -> Response {
    let switches = state.switches();
    let uses_token = parts
        .headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().starts_with(b"Token "));
    if face == Face::SemanticLayer && uses_token && !switches.semantic_layer_takes_token {
        return Refusal::unauthorized().into_response();
    }
    let budget = if face == Face::Discovery {
        Budget::Discovery
    } else {
        Budget::Admin
    };
    let mut world = state.world();
    let caller = match enter(state, &mut world, parts, &switches, budget) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Some(request) = read(body) else {
        return reply::json_response(StatusCode::BAD_REQUEST, &problem("POST body must hold a query."));
    };
    let now = state.clock.now();
    let data = match face {
        Face::Discovery => discovery::answer(&world, &caller, &request, now),
        Face::SemanticLayer => semantic_layer::answer(&mut world, &caller, &request, now),
    };
    reply::json_response(StatusCode::OK, &data)
}

fn read(body: &Bytes) -> Option<GraphqlRequest> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(GraphqlRequest {
        query: body.get("query")?.as_str()?.to_owned(),
        variables: body.get("variables").cloned().unwrap_or(Value::Null),
        operation_name: body.get("operationName").and_then(Value::as_str).map(ToOwned::to_owned),
    })
}

fn problem(message: &str) -> Value {
    json!({ "errors": [{ "message": message }] })
}
