//! What can be asked without a key: is anybody there, and where is the manual.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ServerState;

/// Where to go from here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "dbt-gateway", "version": "0.1.0", "docs": "/docs", "openapi": "/openapi.json"}))]
pub(crate) struct Welcome {
    name: &'static str,
    version: &'static str,
    /// The explorer.
    docs: &'static str,
    /// The OpenAPI document.
    openapi: &'static str,
}

/// Whether something is well.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub(crate) struct Health {
    /// `ok` or `unavailable`.
    status: &'static str,
}

/// Links to the explorer and the OpenAPI document
#[utoipa::path(get, path = "/", operation_id = "welcome", tag = "service", security(()),
    responses((status = 200, body = Welcome)))]
pub(crate) async fn welcome() -> Json<Welcome> {
    Json(Welcome {
        name: "dbt-gateway",
        version: env!("CARGO_PKG_VERSION"),
        docs: "/docs",
        openapi: "/openapi.json",
    })
}

/// Whether the process runs
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "service", security(()),
    responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests can be served
///
/// Asks the database. Dbt Cloud is not asked: an outage there is no reason to take the gateway out of service.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "service", security(()),
    responses((status = 200, body = Health), (status = 503, body = Health, description = "Not now.")))]
pub(crate) async fn readyz(State(state): State<ServerState>) -> (StatusCode, Json<Health>) {
    if state.clients.is_ready().await {
        (StatusCode::OK, Json(Health { status: "ok" }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "unavailable" }))
    }
}
