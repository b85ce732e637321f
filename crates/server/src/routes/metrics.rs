//! Metrics for Prometheus.

use axum::http::header;
use axum::response::IntoResponse;
use metric_families::EXPOSITION_TYPE;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::Dbt;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get_metrics))
}

/// The metrics of the process, as text for Prometheus.
#[derive(ToSchema)]
#[schema(
    example = "# TYPE dbt_gateway_requests counter\ndbt_gateway_requests_total{request_type=\"list_projects\",outcome=\"succeeded\"} 17\n# EOF\n"
)]
#[expect(dead_code, reason = "for the document alone")]
struct Exposition(String);

/// Read the metrics
///
/// Only for admins of company 1, since they cover the whole process.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, body = Exposition, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
async fn get_metrics(Dbt(client): Dbt) -> Result<impl IntoResponse, Problem> {
    Ok(openmetrics(client.get_metrics().await?))
}

pub(super) fn openmetrics(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, EXPOSITION_TYPE)], text)
}
