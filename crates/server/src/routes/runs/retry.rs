//! Retrying a run from its point of failure.

use model::{RetryPreview, Run, RunId, StartOptions};

use crate::extract::{Dbt, Id, Idempotency, ScopedQuery, StartQuery};
use crate::json::Json;
use crate::problem::Problem;
use crate::routes::Started;

/// Preview a retry of a run
///
/// Whether the run can be retried, and what a retry would run. Starts nothing.
#[utoipa::path(get, path = "/runs/{run_id}/retry", tag = "runs", params(Id<RunId>, ScopedQuery),
    responses((status = 200, body = RetryPreview)))]
pub(super) async fn get_retry_preview(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery,
) -> Result<Json<RetryPreview>, Problem> {
    Ok(Json(client.get_retry_preview(query.scope, run).await?))
}

/// Retry a run
///
/// Starts a new run from the point of failure of this one: the failed step, then the skipped ones. dbt Cloud retries only
/// the latest run of a job, and only if it failed with results; otherwise the answer is 409 `cannot-retry` with dbt
/// Cloud's reason, and nothing is started. Sent at most once; a lost answer is resolved as for a trigger.
#[utoipa::path(post, path = "/runs/{run_id}/retry", tag = "runs", params(Id<RunId>, StartQuery, Idempotency),
    responses(
        (status = 202, body = Run, description = "With `wait`: the time is up, and the run goes on."),
        (status = 201, body = Run, headers(("location" = String, description = "The address of the new run.")))))]
pub(super) async fn retry_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: StartQuery,
    Idempotency(idempotency_key): Idempotency,
) -> Result<Started, Problem> {
    let options = StartOptions {
        idempotency_key,
        ..StartOptions::default()
    };
    let started = client.retry_run(query.scope.clone(), run, options, query.wait).await?;
    Ok(Started::new(started, &query.scope))
}
