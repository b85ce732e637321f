//! The control endpoint, on a separate port: time, faults, switches, job scripts, recorded requests. For people and
//! scripts; tests in the same process use [`crate::Running`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State as With};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api;
use crate::faults::Fault;
use crate::limiter::RateLimit;
use crate::recorder::RecordedRequest;
use crate::stamp;
use crate::state::State;
use crate::world::JobScript;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/clock", get(read_clock).patch(set_scale))
        .route("/clock/advance", post(advance))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/switches", get(read_switches).patch(change_switches))
        .route("/requests", get(list_requests).delete(clear_requests))
        .route("/jobs/{job_id}/script", put(set_script))
        .route("/rate-limit", get(read_counts).put(set_limits))
        .route("/rate-limit/reset", post(reset_limits))
        .route("/operations", get(list_operations))
        .with_state(state)
}

fn refuse(status: StatusCode, message: impl std::fmt::Display) -> Response {
    (status, Json(json!({ "error": message.to_string() }))).into_response()
}

async fn overview() -> Json<Value> {
    Json(json!({
        "what": "control endpoint of the dbt Cloud simulator",
        "routes": [
            "GET /clock", "PATCH /clock {\"scale\": 60}", "POST /clock/advance {\"seconds\": 90}",
            "GET, POST, DELETE /faults", "DELETE /faults/{id}", "GET, PATCH /switches", "GET, DELETE /requests",
            "PUT /jobs/{job_id}/script", "GET /rate-limit", "PUT /rate-limit", "POST /rate-limit/reset", "GET /operations",
        ],
    }))
}

fn clock(state: &State) -> Json<Value> {
    Json(json!({ "now": stamp::zulu(state.clock.now()), "scale": state.clock.scale() }))
}

async fn read_clock(With(state): With<Arc<State>>) -> Json<Value> {
    clock(&state)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    scale: f64,
}

async fn set_scale(With(state): With<Arc<State>>, Json(scale): Json<Scale>) -> Json<Value> {
    state.set_scale(scale.scale);
    clock(&state)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

async fn advance(With(state): With<Arc<State>>, Json(by): Json<Advance>) -> Response {
    match Duration::try_from_secs_f64(by.seconds) {
        Ok(by) => {
            state.advance(by);
            clock(&state).into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, error),
    }
}

async fn list_faults(With(state): With<Arc<State>>) -> Json<Vec<Fault>> {
    Json(state.faults.all())
}

async fn add_fault(With(state): With<Arc<State>>, Json(fault): Json<Fault>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "id": state.faults.add(fault) })))
}

async fn clear_faults(With(state): With<Arc<State>>) -> StatusCode {
    state.faults.clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(With(state): With<Arc<State>>, Path(id): Path<u64>) -> StatusCode {
    if state.faults.remove(id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn read_switches(With(state): With<Arc<State>>) -> Response {
    Json(state.switches()).into_response()
}

/// Only the switches named in the body change.
async fn change_switches(With(state): With<Arc<State>>, Json(changes): Json<Value>) -> Response {
    let merged = serde_json::to_value(state.switches()).and_then(|mut all| {
        if let (Value::Object(all), Value::Object(changes)) = (&mut all, changes) {
            all.extend(changes);
        }
        serde_json::from_value(all)
    });
    match merged {
        Ok(switches) => {
            state.set_switches(switches);
            Json(state.switches()).into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, error),
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Requests {
    method: Option<String>,
    path_prefix: String,
    after: u64,
    limit: usize,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            method: None,
            path_prefix: String::new(),
            after: 0,
            limit: 1_000,
        }
    }
}

async fn list_requests(With(state): With<Arc<State>>, Query(wanted): Query<Requests>) -> Json<Value> {
    let all = state.recorder.all();
    let fits = all.iter().filter(|request| {
        request.sequence > wanted.after
            && request.target.starts_with(&wanted.path_prefix)
            && wanted
                .method
                .as_ref()
                .is_none_or(|method| request.method.eq_ignore_ascii_case(method))
    });
    Json(fits.take(wanted.limit).map(RecordedRequest::to_json).collect())
}

async fn clear_requests(With(state): With<Arc<State>>) -> StatusCode {
    state.recorder.clear();
    StatusCode::NO_CONTENT
}

async fn set_script(
    With(state): With<Arc<State>>,
    Path(job_id): Path<i64>,
    Json(script): Json<JobScript>,
) -> StatusCode {
    if state.set_script(job_id, script) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

/// The limits of every account; null is no limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    admin_per_minute: Option<u32>,
    discovery_per_minute: Option<u32>,
    cooldown_secs: u64,
}

async fn set_limits(With(state): With<Arc<State>>, Json(limits): Json<Limits>) -> StatusCode {
    state.set_rate_limit(RateLimit {
        admin_per_minute: limits.admin_per_minute,
        discovery_per_minute: limits.discovery_per_minute,
        cooldown: Duration::from_secs(limits.cooldown_secs),
    });
    StatusCode::NO_CONTENT
}

async fn read_counts(With(state): With<Arc<State>>) -> Json<Value> {
    let counts = state.rate_counts().into_iter();
    let counts = counts
        .map(|(id, [admin, discovery])| json!({ "account_id": id, "administrative": admin, "discovery": discovery }));
    Json(counts.collect())
}

async fn reset_limits(With(state): With<Arc<State>>) -> StatusCode {
    state.reset_limits();
    StatusCode::NO_CONTENT
}

async fn list_operations() -> Json<Vec<String>> {
    Json(api::router().operations().to_vec())
}
