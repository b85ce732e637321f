//! Runs: single executions of jobs.

mod list;
mod retry;
mod wait;

use axum::http::StatusCode;
use axum::response::Response;
use model::{Run, RunFailure, RunId, RunStep, comma_list};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::list::InOne;
use crate::extract::{Dbt, Id, Idempotency, ListQuery, ScopedQuery};
use crate::json::Json;
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::routes::started::repeatable;
use crate::state::Shared;
use crate::words::RelatedToRun;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_runs))
        .routes(routes!(get_run))
        .routes(routes!(list_run_steps))
        .routes(routes!(get_run_failure))
        .routes(routes!(wait::wait_for_run))
        .routes(routes!(wait::get_run_progress))
        .routes(routes!(cancel_run))
        .routes(routes!(retry::get_retry_preview, retry::retry_run))
}

/// What to send with a run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunOptions {
    /// What to send with the run, in the field of that name: `trigger`, `job`, `audit`, `environment`, `run_steps`;
    /// several with commas between them.
    #[serde(default, deserialize_with = "comma_list")]
    #[param(value_type = Option<Vec<RelatedToRun>>, style = Form, explode = false)]
    include_related: Vec<InOne>,
}

/// Get a run
///
/// Poll it until `is_complete`. A run that was started through the gateway less than a minute ago and that dbt Cloud does not
/// show yet is 404 `run-not-visible-yet`: ask again.
#[utoipa::path(get, path = "/runs/{run_id}", tag = "runs", params(Id<RunId>, ScopedQuery<RunOptions>),
    responses((status = 200, body = Run)))]
async fn get_run(Dbt(client): Dbt, Id(run): Id<RunId>, query: ScopedQuery<RunOptions>) -> Result<Json<Run>, Problem> {
    let related = query.filter.include_related.into_iter().map(|InOne(each)| each);
    Ok(Json(client.get_run(query.scope, run, related.collect()).await?))
}

/// What to send with each step.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StepOptions {
    /// Whether `debug_logs` is whole; without it dbt Cloud sends the last 1,000 lines. Whole ones are long.
    #[serde(default)]
    #[param(default = false)]
    debug_logs: bool,
}

/// List the steps of a run, with their logs
///
/// In their order; the first three clone the repository, create the profile and run `dbt deps`. `logs` may be empty for a
/// moment after the end of a step.
#[utoipa::path(get, path = "/runs/{run_id}/steps", tag = "runs", params(Id<RunId>, ListQuery<StepOptions>),
    responses((status = 200, body = List<RunStep>)))]
async fn list_run_steps(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    links: PageLinks,
    query: ListQuery<StepOptions>,
) -> Result<ListAnswer, Problem> {
    let debug_logs = query.filter.debug_logs;
    let steps = client.list_run_steps(query.scope, run, debug_logs, query.page).await?;
    Ok(ListAnswer::new(steps, &links))
}

/// Explain why a run failed
///
/// The step that failed, its failed nodes with their messages, and the end of its log, gathered from the run, its steps
/// and the step's `run_results.json` (`sources.json` of `dbt source freshness`). Works for a run that did not fail too:
/// see `verdict`. What dbt Cloud does not have (yet) is listed in `not_available`, and is no error.
#[utoipa::path(get, path = "/runs/{run_id}/failure", tag = "runs", params(Id<RunId>, ScopedQuery),
    responses((status = 200, body = RunFailure)))]
async fn get_run_failure(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery,
) -> Result<Json<RunFailure>, Problem> {
    Ok(Json(client.get_run_failure(query.scope, run).await?))
}

/// Cancel a run
///
/// Returns the run, which may continue for a moment: poll it until `is_complete`. May be repeated: a run that is already
/// cancelled stays so. A run that has finished by itself is left alone: 409 `run-finished`.
#[utoipa::path(post, path = "/runs/{run_id}/cancel", tag = "runs", params(Id<RunId>, ScopedQuery, Idempotency),
    responses((status = 202, body = Run)))]
async fn cancel_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery,
    Idempotency(idempotency_key): Idempotency,
) -> Result<Response, Problem> {
    let run = client.cancel_run(query.scope, run, idempotency_key).await?;
    Ok(repeatable(run, |run| (StatusCode::ACCEPTED, Json(run))))
}
