//! Running again: a job's latest failure (`rerun`), or one failed run (`retry`), both from the point of failure.

use serde_json::{Value, json};

use super::runs::find_run;
use super::trigger::{Start, answer_run, start_run};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::routing::Route;
use crate::runs::{Run, retry_refusal, steps_to_retry};
use crate::switches::RefusedRetry;
use crate::world::{Account, Doc, Kind, World};

pub(crate) const ROUTES: &[Route] = &[
    Route::post("/api/v2/accounts/{account_id}/jobs/{job_id}/rerun/", rerun_job),
    Route::get("/api/v2/accounts/{account_id}/runs/{run_id}/retry/", preview),
    Route::post("/api/v2/accounts/{account_id}/runs/{run_id}/retry/", retry_run),
];

/// Retries the latest run when it failed and can be retried; otherwise it is a trigger.
fn rerun_job(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let job_id = call.id("job_id")?;
    account.find(Kind::Jobs, job_id)?;
    let latest = account.latest_run_of(job_id);
    let retryable = latest
        .filter(|run| retry_refusal(account, run, call.now).is_none())
        .map(|run| run.id);
    if let Some(run_id) = retryable {
        return retry(account, run_id, "rerun", call);
    }
    let trigger = Doc::from_iter([("cause".to_owned(), json!("Triggered via rerun"))]);
    let start = Start {
        category: "rerun",
        retry_of: None,
        commands: None,
    };
    let id = start_run(account, job_id, trigger, start, call)?;
    answer_run(account, id, call)
}

fn retry_run(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    let id = run.id;
    if let Some(reason) = retry_refusal(account, run, call.now) {
        return match call.switches.refused_retry {
            RefusedRetry::BadRequest => Err(call.invalid(json!({ "retry_not_supported_reason": reason }))),
            RefusedRetry::Unchanged => answer_run(account, id, call),
        };
    }
    retry(account, id, "rerun", call)
}

/// `dbt retry` for the failed command, then the commands that were skipped.
fn retry(account: &mut Account, run_id: i64, category: &'static str, call: &Call) -> Answer {
    let (job_id, trigger, commands) = {
        let run: &Run = account.runs.get(&run_id).ok_or_else(crate::reply::Refusal::not_found)?;
        let (failed, skipped) = steps_to_retry(run, call.now);
        let retried = failed.map(|_| "dbt retry".to_owned()).into_iter();
        let rest = skipped.iter().filter_map(|step| step.command.clone());
        let mut trigger = run.trigger.clone();
        trigger.insert("cause".to_owned(), json!(format!("Retry of run {run_id}")));
        (run.job_id, trigger, retried.chain(rest).collect())
    };
    let start = Start {
        category,
        retry_of: Some(run_id),
        commands: Some(commands),
    };
    let id = start_run(account, job_id, trigger, start, call)?;
    answer_run(account, id, call)
}

/// What a retry would run.
fn preview(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    let (failed, skipped) = steps_to_retry(run, call.now);
    let names: Vec<&str> = skipped.iter().map(|step| step.name.as_str()).collect();
    Ok(Reply::One(
        json!({ "failed_step": failed.map_or(Value::Null, |step| json!(step.name)), "skipped_steps": names }),
    ))
}
