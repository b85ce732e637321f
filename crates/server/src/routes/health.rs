//! Routes without a key: links, liveness and readiness; and the routes of the health address.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::routing::get;
use client::{Check, Clients};
use metric_families::exposition;
use model::Role;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::Dbt;
use crate::json::Json;
use crate::routes::metrics::openmetrics;
use crate::state::{Shared, Shutdown};
use crate::words::{CheckName, WellOrNot};

/// How long the checks may take together.
const CHECKS_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(welcome))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// Links.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "dbt-gateway", "version": "0.1.0", "docs": "/docs", "openapi": "/openapi.json"}))]
struct Welcome {
    name: &'static str,
    version: &'static str,
    /// The explorer.
    docs: &'static str,
    /// The OpenAPI document.
    openapi: &'static str,
}

/// A health status.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
struct Health {
    #[schema(value_type = WellOrNot)]
    status: &'static str,
    /// The checks; only for admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    checks: Option<Vec<HealthCheck>>,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "database", "ok": true}))]
struct HealthCheck {
    /// `database`; `migrations`: its tables are as new as this version; `encryption_keys`: the message names those that
    /// stored tokens need and this process lacks, whose credentials fail alone; `request_log`: its rows are written and its queue has room; `heartbeat`: this process's is not late;
    /// `partitions`: tomorrow's of the request log exists; `disk`: that of the private Postgres has room; `dbt_circuits`: always ok,
    /// the message says how many credentials are refused since dbt Cloud failed too often; `serving`: the
    /// process is not about to end.
    #[schema(value_type = CheckName)]
    name: &'static str,
    ok: bool,
    /// The reason of a failure, or a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
}

/// Links to the explorer and the OpenAPI document
///
/// For people and for clients that test a connection.
#[utoipa::path(get, path = "/", tag = "service", security(()),
    responses((status = 200, body = Welcome)))]
async fn welcome() -> Json<Welcome> {
    Json(Welcome {
        name: "dbt-gateway",
        version: env!("CARGO_PKG_VERSION"),
        docs: "/docs",
        openapi: "/openapi.json",
    })
}

/// Whether the process runs
///
/// Checks nothing else: for a liveness probe.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()),
    responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        checks: None,
    })
}

/// Whether requests can be served
///
/// Checks the database, not dbt Cloud: an outage there is no reason to take the gateway out of service. 503 as soon as
/// shutdown has started. Without a key yes or no; with an admin's key the checks are listed, while the database can
/// verify the key.
#[utoipa::path(get, path = "/readyz", tag = "service", security((), ("gateway_key" = [])),
    responses((status = 200, body = Health), (status = 503, body = Health, description = "Not now.")))]
async fn readyz(IsAdmin(is_admin): IsAdmin, State(state): State<Shared>) -> (StatusCode, Json<Health>) {
    readiness(&state.clients, &state.shutdown, is_admin).await
}

/// `/healthz`, `/readyz` with its checks, and `/metrics`, without a key: for an address that only probes and Prometheus
/// reach. None of the limits on callers is around them.
pub fn health_router(clients: Clients, shutdown: Shutdown, registry: Arc<Registry>) -> Router {
    let ready = async move || readiness(&clients, &shutdown, true).await;
    let metrics = async move || openmetrics(exposition(&registry));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn readiness(clients: &Clients, shutdown: &Shutdown, with_checks: bool) -> (StatusCode, Json<Health>) {
    let serving = Check {
        name: "serving",
        problem: shutdown.has_started().then(|| "the process is stopping".to_owned()),
        note: None,
    };
    let mut checks = match timeout(CHECKS_LIMIT, clients.health()).await {
        Ok(checks) => checks.to_vec(),
        Err(_) => vec![Check {
            name: "database",
            problem: Some(format!("the checks took longer than {CHECKS_LIMIT:?}")),
            note: None,
        }],
    };
    checks.push(serving);
    let is_well = checks.iter().all(|check| check.problem.is_none());
    let health = Health {
        status: if is_well { "ok" } else { "unavailable" },
        checks: with_checks.then(|| checks.into_iter().map(HealthCheck::from).collect()),
    };
    let status = if is_well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health))
}

impl From<Check> for HealthCheck {
    fn from(Check { name, problem, note }: Check) -> Self {
        Self {
            name,
            ok: problem.is_none(),
            message: problem.or(note),
        }
    }
}

/// Whether the caller has a valid admin key.
struct IsAdmin(bool);

impl FromRequestParts<Shared> for IsAdmin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Infallible> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(false));
        }
        let client = Dbt::from_request_parts(parts, state).await;
        Ok(Self(
            client.is_ok_and(|Dbt(client)| client.caller().role == Role::Admin),
        ))
    }
}
