//! Retrying a run from its point of failure.

use model::{RetryPreview, Run, RunId, StartOptions};

use crate::extract::{Dbt, Id, Idempotency, ScopedQuery};
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
#[utoipa::path(post, path = "/runs/{run_id}/retry", tag = "runs", params(Id<RunId>, ScopedQuery,
        ("idempotency-key" = Option<String>, Header, description = "The caller's name for this request: 1 to 255 printable characters.")),
    responses(
        (status = 201, body = Run, headers(("location" = String, description = "The address of the new run."))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The run cannot be retried, or the first request with this key has not ended."),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The key was used for another request."),
        (status = 504, body = Problem, content_type = "application/problem+json", description = "Whether a run was started is not known yet.")))]
pub(super) async fn retry_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery,
    Idempotency(idempotency_key): Idempotency,
) -> Result<Started, Problem> {
    let options = StartOptions {
        idempotency_key,
        ..StartOptions::default()
    };
    let started = client.retry_run(query.scope.clone(), run, options).await?;
    Ok(Started::new(started, &query.scope))
}
