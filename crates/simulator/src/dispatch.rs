//! Dispatches a request to its operation: GraphQL, the web application, or the administrative API.

use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::admission::admit;
use crate::api::{self, Found};
use crate::call::{Call, Caller};
use crate::connection::ConnectionHandle;
use crate::faults::{Effect, Fault};
use crate::graphql;
use crate::limiter::Budget;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::reply::{self, Reply};
use crate::response::{html_page, typed};
use crate::state::State;
use crate::switches::{Switches, WrongSlash};

/// The template of the operation, where there is one, and its answer.
pub(crate) async fn dispatch(
    state: &Arc<State>,
    parts: &Parts,
    body: Bytes,
    faults: &[Fault],
) -> (Option<&'static str>, Response) {
    let path = parts.uri.path();
    if let Some(result) = graphql::route(state, parts, &body) {
        return result;
    }
    if path == "/" && parts.method == Method::GET {
        // The web application; one client tests its connection with this request.
        return (
            Some("/"),
            typed(
                StatusCode::OK,
                "text/html; charset=utf-8",
                "<!doctype html><title>dbt Cloud (simulated)</title>",
            ),
        );
    }
    match api::router().find(&parts.method, path) {
        Found::Nothing => (None, html_page(404)),
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
                    WrongSlash::NotFound => return (None, html_page(404)),
                }
            }
            let answer = {
                let mut world = state.world();
                match admit(state, &mut world, parts, &switches, Budget::Admin) {
                    Err(refused) => return (Some(route.template.as_str()), *refused),
                    Ok(caller) => {
                        let mut call = call(state, parts, body, caller, switches);
                        call.params = params;
                        hide_runs(&mut call, faults);
                        let answer = route.handle(&mut world, &call);
                        if parts.method != Method::GET {
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
            (Some(route.template.as_str()), response)
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
        origin: format!("{}://{host}", scheme(parts)),
        http: state.http.clone(),
        webhook_timeout: state.webhook_timeout,
    }
}

fn scheme(parts: &Parts) -> &'static str {
    let connection = parts.extensions.get::<ConnectInfo<ConnectionHandle>>();
    connection.map_or("http", |ConnectInfo(connection)| connection.scheme())
}

fn hide_runs(call: &mut Call, faults: &[Fault]) {
    for fault in faults {
        if let Effect::HideRun { seconds } = fault.effect {
            call.switches.run_hidden_secs = seconds;
        }
    }
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
