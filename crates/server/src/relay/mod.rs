//! The dbt-compatible surface: dbt Cloud's own routes, for its existing clients. `arrival.rs` checks and classifies a request,
//! `headers.rs` selects the headers to send, and `envelope.rs` writes the gateway's own refusals in dbt's envelope.

mod arrival;
mod envelope;
mod headers;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use client::ForwardRequest;
use dbt_routes::{GraphqlRequest, RelayRequest};
use model::RequestStamp;
use uuid::Uuid;

use crate::extract::Dbt;
use crate::problem::{Kind, Problem, refused_document};
use crate::state::Shared;
use crate::streamed;

pub(crate) use arrival::Arrival;
pub(crate) use envelope::Envelope;

/// The routes of dbt Cloud's clients. [`Arrival`] classifies the paths before a route is reached.
pub(crate) fn routes() -> Router<Shared> {
    let paths = [
        "/api",
        "/api/",
        "/api/{*rest}",
        "/graphql",
        "/graphql/",
        "/beta/graphql",
        "/beta/graphql/",
    ];
    paths
        .into_iter()
        .fold(Router::new(), |routes, path| routes.route(path, any(relay)))
}

async fn relay(State(state): State<Shared>, mut request: Request) -> Result<Response, Problem> {
    let Some(arrival) = request.extensions_mut().remove::<Arrival>() else {
        return Err(Problem::internal("a relayed request outside the edge layer".to_owned()));
    };
    let relayed = arrival.relayed()?;
    check_method(&relayed)?;
    let (mut parts, body) = request.into_parts();
    let Dbt(client) = Dbt::from_request_parts(&mut parts, &state).await?;
    let request_uuid = parts
        .extensions
        .get::<RequestStamp>()
        .map_or_else(Uuid::nil, RequestStamp::request_uuid);
    let target = arrival::target(&parts, &relayed)?;
    let query = parts.uri.query().map(str::to_owned);
    let headers = headers::to_dbt(&parts.headers);
    let body = body_of(Request::from_parts(parts, body), &relayed, &state).await?;
    let request = judged(relayed, query.as_deref(), &headers, body.as_deref(), &state)?;
    let order = ForwardRequest {
        query,
        headers,
        body,
        request,
    };
    let answer = client.forward(target, order).await?;
    log_failure(request_uuid, answer.status);
    Ok(streamed::response(answer))
}

/// TRACE would show the token, and dbt Cloud serves only these methods; GraphQL is served by POST and GET.
fn check_method(relayed: &RelayRequest) -> Result<(), Problem> {
    const METHODS: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let served = if relayed.api().is_graphql() {
        &METHODS[..4]
    } else {
        &METHODS[..]
    };
    if served.contains(relayed.method()) {
        return Ok(());
    }
    let detail = format!("{} is not relayed to this path.", relayed.method());
    Err(Problem::new(Kind::METHOD_NOT_ALLOWED, detail))
}

/// A request to a GraphQL API, with the operation that its documents are.
fn judged(
    relayed: RelayRequest,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Option<&[u8]>,
    state: &Shared,
) -> Result<RelayRequest, Problem> {
    if !relayed.api().is_graphql() {
        return Ok(relayed);
    }
    let mut content_types = headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::to_str);
    let (content_type, None) = (content_types.next().transpose(), content_types.next()) else {
        // The body may be read in two ways.
        let detail = "The request has several headers `Content-Type`. dbt Cloud was not contacted.";
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    };
    let request = GraphqlRequest {
        is_post: *relayed.method() == Method::POST,
        query,
        content_type: content_type.unwrap_or_default(),
        body: body.unwrap_or_default(),
    };
    let effect = request.judge(relayed.api(), &state.settings.graphql);
    let effect = effect.map_err(|refused| refused_document(&refused))?;
    Ok(relayed.with_graphql_effect(effect))
}

/// The whole body.
async fn body_of(request: Request, relayed: &RelayRequest, state: &Shared) -> Result<Option<Bytes>, Problem> {
    let body = Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Kind::TOO_LARGE, "The body is larger than server.max_body_bytes.")
        } else {
            Problem::new(Kind::INVALID_REQUEST, "The body could not be read to its end.")
        }
    })?;
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(relayed.method());
    Ok((has_body || !body.is_empty()).then_some(body))
}

/// Logs an answer that a person must act on: relayed answers are not problems of the gateway.
fn log_failure(request_uuid: Uuid, status: StatusCode) {
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    if refused || status.is_server_error() {
        tracing::error!(
            request.uuid = %request_uuid,
            http.response.status_code = status.as_u16(),
            "{}",
            if refused {
                "dbt Cloud refused our credentials; its answer was relayed"
            } else {
                "dbt Cloud failed; its answer was relayed"
            }
        );
    }
}
