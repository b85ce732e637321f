//! Waiting for a run.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use client::{OnEnd, WaitOptions};
use model::{Run, RunFailure, RunId, RunProgress};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Dbt, Id, ScopedQuery, timeout};
use crate::json::Json;
use crate::problem::Problem;
use crate::words::WaitAddition;

/// How long to wait, and what to add.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitForRun {
    /// How long to wait. Proxies often cut silent requests at 60 seconds.
    #[param(minimum = 1, maximum = 3600, default = 50, example = 1)]
    timeout_seconds: Option<u64>,
    /// `failure`: if the run has failed, the answer says why, in the field of that name.
    #[param(value_type = Option<WaitAddition>, example = "failure")]
    include: Option<Included>,
}

/// What a wait can add to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Included {
    Failure,
}

/// A run that was waited for, and why it failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunWithFailure {
    #[serde(flatten)]
    run: Run,
    /// With `include=failure`, if the run has failed and that could be read: as in `GET /runs/{run_id}/failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failure: Option<RunFailure>,
}

/// Wait for a run
///
/// 200 with the run once it has ended, however it ended. 202 with the run as it is when the time is up: `location` is where
/// to wait on. The wait survives what happens at dbt Cloud meanwhile: a failed read, an outage, a pause after a 429. A run
/// that has ended answers at once.
#[utoipa::path(get, path = "/runs/{run_id}/wait", tag = "runs", params(Id<RunId>, ScopedQuery<WaitForRun>),
    responses(
        (status = 200, body = RunWithFailure, description = "The run has ended."),
        (status = 202, body = Run, description = "The time is up, or the gateway stops: the run goes on.",
            headers(("location" = String, description = "Where to wait on.")))))]
pub(super) async fn wait_for_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery<WaitForRun>,
) -> Result<Response, Problem> {
    let WaitForRun {
        timeout_seconds,
        include,
    } = query.filter;
    let options = WaitOptions {
        timeout: timeout(timeout_seconds)?,
        on_timeout: OnEnd::Leave,
        on_disconnect: OnEnd::Leave,
    };
    let again = query.scope.location(&format!("/runs/{run}/wait"));
    let wants_failure = include == Some(Included::Failure);
    let waited = client.wait_for_run(query.scope, run, options, wants_failure).await?;
    if !waited.is_over {
        return Ok((StatusCode::ACCEPTED, [(header::LOCATION, again)], Json(waited.run)).into_response());
    }
    let (run, failure) = (waited.run, waited.failure);
    Ok(Json(RunWithFailure { run, failure }).into_response())
}

/// Get the progress of a run
///
/// Its steps, how long it has taken, and when it probably ends: by the median of the job's last 20 runs that succeeded.
/// What is not known is null.
#[utoipa::path(get, path = "/runs/{run_id}/progress", tag = "runs", params(Id<RunId>, ScopedQuery),
    responses((status = 200, body = RunProgress)))]
pub(super) async fn get_run_progress(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery,
) -> Result<Json<RunProgress>, Problem> {
    Ok(Json(client.get_run_progress(query.scope, run).await?))
}
