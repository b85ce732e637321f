//! Runs that pick up where another failed.

use model::{JobId, RunId};

use crate::extract::{Dbt, Id, QueryParams};
use crate::json::Json;
use crate::problem::Problem;
use crate::routes::{AccountQuery, Started};
use crate::views::{RetryPreviewView, RunView};

/// Preview a retry of a run
///
/// Whether the run can be retried, and what a retry would run. Nothing is started.
#[utoipa::path(get, path = "/runs/{run_id}/retry", operation_id = "get_retry_preview", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), AccountQuery),
    responses((status = 200, body = RetryPreviewView)))]
pub(crate) async fn get_retry_preview(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<Json<RetryPreviewView>, Problem> {
    Ok(Json(client.get_retry_preview(account, run).await?.into()))
}

/// Retry a run
///
/// Starts a new run from where this one failed: the failed step, then those that were skipped. dbt Cloud retries only
/// the latest run of a job, and only when it failed with results; otherwise the answer is 409 `cannot-retry` with dbt
/// Cloud's reason, and nothing is started. Not idempotent: the gateway sends it at most once; after a 502 or 504 the run
/// may have started, so look at the job's runs before you repeat it.
#[utoipa::path(post, path = "/runs/{run_id}/retry", operation_id = "retry_run", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), AccountQuery),
    responses(
        (status = 201, body = RunView, headers(("location" = String, description = "Where the new run can be read."))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The run cannot be retried.")))]
pub(crate) async fn retry_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<Started, Problem> {
    let query = account.clone();
    Ok(Started::new(client.retry_run(account, run).await?, &query))
}

/// Run a job again from its failure
///
/// Where the job's latest run failed and can be retried, the new run starts from there, and its `retrying_run_id` names
/// the failed run. **Otherwise dbt Cloud starts a plain new run of the whole job**, and `retrying_run_id` is null; to
/// start nothing in that case, use `POST /runs/{run_id}/retry`. Not idempotent: the gateway sends it at most once; after
/// a 502 or 504 the run may have started, so look at the job's runs before you repeat it.
#[utoipa::path(post, path = "/jobs/{job_id}/rerun", operation_id = "rerun_job", tag = "jobs",
    params(("job_id" = i64, Path, description = "The job's id."), AccountQuery),
    responses(
        (status = 201, body = RunView, headers(("location" = String, description = "Where the new run can be read.")))))]
pub(crate) async fn rerun_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<Started, Problem> {
    let query = account.clone();
    Ok(Started::new(client.rerun_job(account, job).await?, &query))
}
