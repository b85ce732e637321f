//! Starting a run of a job.

use model::{JobId, Run, TriggerJob};

use crate::extract::{Dbt, Id, JsonBody, ScopedQuery};
use crate::problem::Problem;
use crate::routes::Started;

/// Start a run of a job
///
/// Not idempotent: every accepted call starts a run. The gateway sends it to dbt Cloud at most once; after a 502 or 504
/// the run may have started, so look up the job's runs before you repeat it.
#[utoipa::path(post, path = "/jobs/{job_id}/runs", tag = "jobs", params(Id<JobId>, ScopedQuery),
    request_body = TriggerJob,
    responses((status = 201, body = Run, headers(("location" = String, description = "The address of the run.")))))]
pub(super) async fn trigger_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    query: ScopedQuery,
    JsonBody(trigger): JsonBody<TriggerJob>,
) -> Result<Started, Problem> {
    let run = client.trigger_job(query.scope.clone(), job, trigger).await?;
    Ok(Started::new(run, &query.scope))
}

/// Run a job again from its failure
///
/// If the job's latest run failed and can be retried, the new run starts from its point of failure, and its
/// `retrying_run_id` names the failed run. **Otherwise dbt Cloud starts a plain new run of the whole job**, and
/// `retrying_run_id` is null; to start nothing in that case, use `POST /runs/{run_id}/retry`. Not idempotent: the gateway
/// sends it at most once; after a 502 or 504 the run may have started, so look up the job's runs before you repeat it.
#[utoipa::path(post, path = "/jobs/{job_id}/rerun", tag = "jobs", params(Id<JobId>, ScopedQuery),
    responses((status = 201, body = Run, headers(("location" = String, description = "The address of the new run.")))))]
pub(super) async fn rerun_job(Dbt(client): Dbt, Id(job): Id<JobId>, query: ScopedQuery) -> Result<Started, Problem> {
    let run = client.rerun_job(query.scope.clone(), job).await?;
    Ok(Started::new(run, &query.scope))
}
