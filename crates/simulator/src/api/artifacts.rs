//! Artifacts: those of a run, listed or by name, and the latest of a job.

use serde_json::{Value, json};

use super::route::Route;
use super::runs::find_run;
use crate::artifacts::{Content, artifact_response, names, open};
use crate::call::Call;
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::world::{Kind, World};

const OF_RUN: &str = "/api/v2/accounts/{account_id}/runs/{run_id}/artifacts/";
const OF_JOB: &str = "/api/v2/accounts/{account_id}/jobs/{job_id}/artifacts/{remainder}";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(OF_RUN, list_artifacts),
        Route::get(&format!("{OF_RUN}{{remainder}}"), get_run_artifact),
        Route::get(OF_JOB, get_job_artifact),
    ]
}

/// The requested step, from 1. For the list it is not in the specification, but every client sends it.
fn step(call: &Call) -> Result<Option<usize>, Refusal> {
    let step = call.query.int("step")?;
    step.map(|step| usize::try_from(step).map_err(|_| Refusal::not_found()))
        .transpose()
}

fn list_artifacts(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    match names(run, step(call)?, call.now) {
        Some(names) => Ok(Reply::One(json!(names))),
        None if call.switches.no_artifacts_is_null => Ok(Reply::One(Value::Null)),
        None => Err(Refusal::not_found()),
    }
}

fn get_run_artifact(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    answer(open(run, step(call)?, call.param("remainder"), call.now), call)
}

fn get_job_artifact(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let job_id = call.id("job_id")?;
    account.find(Kind::Jobs, job_id)?;
    let mut runs = account
        .runs
        .values()
        .rev()
        .filter(|run| run.job_id == job_id && !run.is_hidden(call.now));
    answer(
        runs.find_map(|run| open(run, None, call.param("remainder"), call.now)),
        call,
    )
}

fn answer(content: Option<Content>, call: &Call) -> Answer {
    let limit = call.switches.artifact_max_bytes.unwrap_or(u64::MAX);
    let content = content
        .filter(|content| content.source.length() <= limit)
        .ok_or_else(Refusal::not_found)?;
    Ok(Reply::Response(artifact_response(content, &call.headers)))
}
