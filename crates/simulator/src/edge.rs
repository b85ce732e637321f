//! The way of a request to dbt's face: recorded, struck by faults, authenticated, counted, routed, answered. The only
//! place that knows both HTTP and the world.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::call::{Call, Caller};
use crate::connection::Line;
use crate::faults::{Effect, Fault};
use crate::limiter::Budget;
use crate::query::Query;
use crate::recorder::RecordedRequest;
use crate::reply::{self, Refusal, Reply};
use crate::routing::Found;
use crate::state::State;
use crate::strike;
use crate::switches::{RateLimitBody, Switches, WrongSlash};
use crate::world::World;

/// Answers one request, whatever it is.
pub(crate) async fn serve(state: Arc<State>, line: Line, request: http::Request<Body>) -> Response {
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
    let faults = state.faults.hit(parts.method.as_str(), parts.uri.path());
    let (operation, response) = strike::with_faults(&state, &line, faults, parts, body).await;
    let status = response.as_ref().map(|response| response.status().as_u16());
    state.recorder.finish(sequence, operation, status);
    // A broken line writes nothing, so what is answered on it does not matter.
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

/// Does what the request asks for. The template says which operation it was.
pub(crate) async fn work(
    state: &Arc<State>,
    parts: &Parts,
    body: Bytes,
    faults: &[Fault],
) -> (Option<&'static str>, Response) {
    let path = parts.uri.path();
    if let Some(result) = crate::graphql::route(state, parts, &body) {
        return result;
    }
    if path == "/" && parts.method == http::Method::GET {
        // The web application lives there; one client tests its connection by asking for it.
        return (
            Some("/"),
            reply::typed(
                StatusCode::OK,
                "text/html; charset=utf-8",
                "<!doctype html><title>dbt Cloud (simulated)</title>",
            ),
        );
    }
    match state.router.find(&parts.method, path) {
        Found::Nothing => (None, reply::html_page(404)),
        Found::WrongMethod => (None, Refusal::wrong_method().into_response()),
        Found::Operation {
            route,
            params,
            slash_is_right,
        } => {
            let switches = state.switches();
            if !slash_is_right {
                match switches.wrong_slash {
                    WrongSlash::Serve => {}
                    WrongSlash::Redirect => return (None, redirect(parts)),
                    WrongSlash::NotFound => return (None, reply::html_page(404)),
                }
            }
            let answer = {
                let mut world = state.world();
                match enter(state, &mut world, parts, &switches, Budget::Admin) {
                    Err(refused) => return (Some(route.template), *refused),
                    Ok(caller) => {
                        let mut call = call(state, parts, body, caller, switches);
                        call.params = params;
                        hide_runs(&mut call, faults);
                        let answer = route.handler.handle(&mut world, &call);
                        if parts.method != http::Method::GET {
                            state.changed.notify_one();
                        }
                        answer
                    }
                }
            };
            let response = match answer {
                Ok(Reply::Later(later)) => reply::into_response(later.await),
                Ok(reply) => reply::into_response(reply),
                Err(refusal) => refusal.into_response(),
            };
            (Some(route.template), response)
        }
    }
}

fn call(state: &State, parts: &Parts, body: Bytes, caller: Caller, switches: Switches) -> Call {
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("cloud.getdbt.com");
    Call {
        now: state.clock.now(),
        method: parts.method.to_string(),
        params: Vec::new(),
        query: Query::parse(parts.uri.query()),
        headers: parts.headers.clone(),
        body,
        caller,
        switches,
        timing: state.timing,
        origin: format!("http://{host}"),
        http: state.http.clone(),
        webhook_timeout: state.webhook_timeout,
    }
}

fn hide_runs(call: &mut Call, faults: &[Fault]) {
    for fault in faults {
        if let Effect::HideRun { seconds } = fault.effect {
            call.switches.run_hidden_secs = seconds;
        }
    }
}

/// Checks the token and counts the request against its account.
pub(crate) fn enter(
    state: &State,
    world: &mut World,
    parts: &Parts,
    switches: &Switches,
    budget: Budget,
) -> Result<Caller, Box<Response>> {
    let now = state.clock.now();
    world.settle(now, &state.timing, switches);
    if world.has_news() {
        state.changed.notify_one();
    }
    let caller = token(parts).and_then(|token| world.tokens.get(token)).cloned();
    let Some(caller) = caller else {
        return Err(Box::new(Refusal::unauthorized().into_response()));
    };
    let named = account_in(parts.uri.path()).filter(|id| caller.accounts.contains(id));
    let counted = named.or(caller.accounts.first().copied());
    if let Some(account) = counted.and_then(|id| world.accounts.get_mut(&id))
        && let Err(wait) = account.limiter.take(budget, &state.rate_limit, now)
    {
        return Err(Box::new(too_many(wait, switches)));
    }
    Ok(caller)
}

/// The token of `Authorization: Token …` or `Bearer …`; both mean the same.
pub(crate) fn token(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

fn account_in(path: &str) -> Option<i64> {
    let mut parts = path.split('/').skip_while(|part| *part != "accounts");
    parts.nth(1)?.parse().ok()
}

fn too_many(wait: Duration, switches: &Switches) -> Response {
    let mut response = match switches.rate_limit_body {
        RateLimitBody::Envelope => reply::usual_refusal(429).into_response(),
        RateLimitBody::Html => reply::html_page(429),
        RateLimitBody::Empty => reply::into_response(Reply::Empty(StatusCode::TOO_MANY_REQUESTS)),
    };
    if switches.rate_limit_retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

fn redirect(parts: &Parts) -> Response {
    let path = parts.uri.path();
    let path = path
        .strip_suffix('/')
        .map_or_else(|| format!("{path}/"), ToOwned::to_owned);
    let target = parts
        .uri
        .query()
        .map_or(path.clone(), |query| format!("{path}?{query}"));
    let mut response = reply::into_response(Reply::Empty(StatusCode::PERMANENT_REDIRECT));
    if let Ok(target) = HeaderValue::from_str(&target) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response
}

/// The JSON of a response, for the faults that rewrite it.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}
