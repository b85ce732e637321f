//! Starting a run of a job.

use axum::response::{IntoResponse, Response};
use model::{IfRunning, JobId, Run, StartOptions, StartPreview, TriggerJob};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Dbt, Id, Idempotency, JsonBody, StartQuery};
use crate::json::Json;
use crate::problem::{Kind, Problem};
use crate::routes::Started;

/// How the run is started.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StartParams {
    /// What happens where the job has active runs. `queue`: dbt Cloud queues the new run behind them. `reuse`: the answer is
    /// 200 with the active run, if it has the same overrides, else 409. `reject`: 409 `run-active`. `cancel_queued`: those
    /// that are queued or starting are cancelled, never one that runs, then the new run is started.
    #[serde(default)]
    #[param(required = false)]
    if_running: IfRunning,
    /// Whether the answer only says what would happen: nothing is sent that starts or cancels a run.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// Start a run of a job
///
/// Sent to dbt Cloud at most once. If its answer is lost, the gateway looks for the run, and answers as if nothing had
/// happened; if it does not find it in time: 504 `trigger-unresolved`, and it goes on looking. With an `Idempotency-Key` the
/// request can be repeated safely: a repeat gets the first answer. See docs/triggers.md.
#[utoipa::path(post, path = "/jobs/{job_id}/runs", tag = "jobs",
    params(Id<JobId>, StartQuery<StartParams>, Idempotency),
    request_body = TriggerJob,
    responses(
        (status = 200, body = StartedOrPreview, description = "With `if_running=reuse`: the active run. With `dry_run`: what would happen."),
        (status = 202, body = Run, description = "With `wait`: the time is up, and the run goes on."),
        (status = 201, body = Run, headers(("location" = String, description = "The address of the run.")))))]
pub(super) async fn trigger_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    query: StartQuery<StartParams>,
    Idempotency(idempotency_key): Idempotency,
    JsonBody(trigger): JsonBody<TriggerJob>,
) -> Result<Response, Problem> {
    let StartParams { if_running, dry_run } = query.filter;
    if dry_run {
        if idempotency_key.is_some() {
            let detail = "`dry_run` starts nothing, so it takes no Idempotency-Key.";
            return Err(Problem::new(Kind::INVALID_REQUEST, detail));
        }
        let preview: StartPreview = client.preview_trigger(query.scope, job, trigger, if_running).await?;
        return Ok(Json(preview).into_response());
    }
    let options = StartOptions {
        idempotency_key,
        if_running,
    };
    let started = client
        .trigger_job(query.scope.clone(), job, trigger, options, query.wait)
        .await?;
    Ok(Started::new(started, &query.scope).into_response())
}

/// The answers with status 200.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({
    "job_id": 70_403_103_940_001_i64, "request": {"cause": "Orders were reloaded"}, "active_runs": [],
    "decision": "start", "would_reuse": null, "would_cancel": []
}))]
#[expect(dead_code, reason = "only for the OpenAPI document")]
enum StartedOrPreview {
    Run(Box<Run>),
    Preview(Box<StartPreview>),
}

/// Run a job again from its failure
///
/// If the job's latest run failed and can be retried, the new run starts from its point of failure, and its
/// `retrying_run_id` names the failed run. **Otherwise dbt Cloud starts a plain new run of the whole job**, and
/// `retrying_run_id` is null; to start nothing in that case, use `POST /runs/{run_id}/retry`. Sent at most once; a lost
/// answer is resolved as for a trigger.
#[utoipa::path(post, path = "/jobs/{job_id}/rerun", tag = "jobs", params(Id<JobId>, StartQuery, Idempotency),
    responses(
        (status = 202, body = Run, description = "With `wait`: the time is up, and the run goes on."),
        (status = 201, body = Run, headers(("location" = String, description = "The address of the new run.")))))]
pub(super) async fn rerun_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    query: StartQuery,
    Idempotency(idempotency_key): Idempotency,
) -> Result<Started, Problem> {
    let options = StartOptions {
        idempotency_key,
        ..StartOptions::default()
    };
    let started = client.rerun_job(query.scope.clone(), job, options, query.wait).await?;
    Ok(Started::new(started, &query.scope))
}
