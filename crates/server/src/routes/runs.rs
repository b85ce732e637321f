//! Runs.

use axum::Json;
use model::RunId;

use crate::extract::{Dbt, Id, QueryParams};
use crate::problem::Problem;
use crate::routes::AccountQuery;
use crate::views::RunView;

/// Get a run
#[utoipa::path(get, path = "/runs/{run_id}", operation_id = "get_run", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), AccountQuery),
    responses((status = 200, body = RunView), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<Json<RunView>, Problem> {
    Ok(Json(client.get_run(account, run).await?.into()))
}
