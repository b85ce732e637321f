//! Rerun the latest failure of a job, or retry a failed run; both continue from the point of failure.

use serde_json::json;

use super::route::Route;
use super::run_json::answer_run;
use super::runs::find_run;
use super::start_run::{Start, start_run};
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::runs::{retry_refusal, steps_to_retry};
use crate::switches::RefusedRetry;
use crate::world::{Account, Kind, World};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v2/accounts/{account_id}/jobs/{job_id}/rerun/", rerun_job),
        Route::get("/api/v2/accounts/{account_id}/runs/{run_id}/retry/", preview),
        Route::post("/api/v2/accounts/{account_id}/runs/{run_id}/retry/", retry_run),
    ]
}

/// Retries the latest run where possible; otherwise triggers a new one.
fn rerun_job(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let job_id = call.id("job_id")?;
    account.find(Kind::Jobs, job_id)?;
    let latest = account.latest_run_of(job_id);
    if let Some(run) = latest.filter(|run| retry_refusal(run, latest, call.now).is_none()) {
        return retry(account, run.id, call);
    }
    let trigger = Doc::from_iter([("cause".to_owned(), json!("Triggered via rerun"))]);
    let start = Start {
        category: "rerun",
        ..Start::default()
    };
    let id = start_run(account, job_id, trigger, start, call)?;
    answer_run(account, id, call)
}

fn retry_run(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    let id = run.id;
    if let Some(reason) = retry_refusal(run, account.latest_run_of(run.job_id), call.now) {
        return match call.switches.refused_retry {
            RefusedRetry::BadRequest => Err(call.invalid(json!({ "retry_not_supported_reason": reason }))),
            RefusedRetry::Unchanged => answer_run(account, id, call),
        };
    }
    retry(account, id, call)
}

/// `dbt retry` for the failed command, then the commands that were skipped.
fn retry(account: &mut Account, run_id: i64, call: &Call) -> Answer {
    let run = account.runs.get(&run_id).ok_or_else(Refusal::not_found)?;
    let job_id = run.job_id;
    let (failed, skipped) = steps_to_retry(run, call.now);
    let failed = failed.map(|_| "dbt retry".to_owned());
    let skipped = skipped.iter().filter_map(|step| step.command.clone());
    let mut trigger = run.trigger.clone();
    trigger.put("cause", format!("Retry of run {run_id}"));
    let start = Start {
        category: "rerun",
        retry_of: Some(run_id),
        commands: Some(failed.into_iter().chain(skipped).collect()),
    };
    let id = start_run(account, job_id, trigger, start, call)?;
    answer_run(account, id, call)
}

/// The steps that a retry would run.
fn preview(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    let (failed, skipped) = steps_to_retry(run, call.now);
    let names: Vec<&str> = skipped.iter().map(|step| step.name.as_str()).collect();
    Ok(Reply::One(
        json!({ "failed_step": failed.map(|step| &step.name), "skipped_steps": names }),
    ))
}
