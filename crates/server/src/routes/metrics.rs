//! What the gateway counts, for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use model::metrics::{EXPOSITION_TYPE, exposition};
use prometheus_client::registry::Registry;
use utoipa::ToSchema;

use crate::extract::Dbt;
use crate::problem::Problem;

/// Everything that the gateway counts, as text for Prometheus.
#[derive(ToSchema)]
#[schema(
    example = "# TYPE dbt_gateway_requests counter\ndbt_gateway_requests_total{request_type=\"list_projects\",outcome=\"succeeded\"} 17\n# EOF\n"
)]
#[expect(dead_code, reason = "for the document: the text is sent as it is made")]
struct Exposition(String);

/// Read the metrics
///
/// Of the whole process, so for admins of company 1 alone.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "service",
    responses((status = 200, body = Exposition, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
pub(crate) async fn get_metrics(Dbt(client): Dbt) -> Result<impl IntoResponse, Problem> {
    Ok(openmetrics(client.get_metrics().await?))
}

/// `/metrics` and nothing else, without a key: for an address that only Prometheus reaches.
pub fn metrics_router(registry: Arc<Registry>) -> Router {
    let metrics = async move || openmetrics(exposition(&registry));
    Router::new().route("/metrics", get(metrics))
}

fn openmetrics(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, EXPOSITION_TYPE)], text)
}
