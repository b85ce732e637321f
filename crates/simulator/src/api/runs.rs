//! List, get and cancel runs.

use chrono::TimeDelta;
use serde_json::Value;

use super::route::Route;
use super::run_json::{RunAt, RunContext, answer_run, render_run};
use crate::call::Call;
use crate::listing::{Listing, select};
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::runs::Run;
use crate::switches::CancelFinishedRun;
use crate::world::{Account, World};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v2/accounts/{account_id}/runs/", list_runs),
        Route::get("/api/v2/accounts/{account_id}/runs/{id}/", get_run),
        Route::post("/api/v2/accounts/{account_id}/runs/{run_id}/cancel/", cancel_run),
    ]
}

const LISTING: Listing = Listing::all(&[
    "pk",
    "pk__in",
    "id__gt",
    "state",
    "status",
    "status__in",
    "job_definition_id",
    "environment_id",
    "project_id",
    "project_id__in",
    "created_at__range",
    "finished_at__range",
    "dbt_version",
    "dbt_version__in",
    "deferring_run_id",
    "has_docs_generated",
    "has_sources_generated",
]);

const RELATED: [&str; 10] = [
    "trigger",
    "job",
    "environment",
    "repository",
    "run_steps",
    "run_retries",
    "used_repo_cache",
    "repo_cache_restore",
    "audit",
    "debug_logs",
];

fn list_runs(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let asked = call.query.list("pk__in").unwrap_or_default();
    let dropped = asked.first().filter(|_| call.switches.pk_in_drops_first);
    let visible = account
        .runs
        .values()
        .filter(|run| !run.is_hidden(call.now) && dropped.is_none_or(|id| *id != run.id.to_string()));
    let rows: Vec<RunAt<'_>> = visible.map(|run| RunAt { run, now: call.now }).collect();
    let query = if call.switches.pk_in_ignored {
        &call.query.without("pk__in")
    } else {
        &call.query
    };
    let page = select(rows.iter(), account.id, query, &LISTING, &call.switches)?;
    let context = RunContext::new(account, call, &related);
    Ok(Reply::List(page.page(|row| render_run(row.run, &context))))
}

/// The run in the path, unless it is hidden.
pub(crate) fn find_run<'a>(account: &'a Account, call: &Call, parameter: &str) -> Result<&'a Run, Refusal> {
    let run = account
        .runs
        .get(&call.id(parameter)?)
        .filter(|run| !run.is_hidden(call.now));
    run.ok_or_else(Refusal::not_found)
}

fn get_run(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let run = find_run(account, call, "id")?;
    let context = RunContext::new(account, call, &related);
    Ok(Reply::One(render_run(run, &context)))
}

fn cancel_run(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let run = find_run(account, call, "run_id")?;
    let id = run.id;
    if run.phase(call.now).is_over() && call.switches.cancel_finished_run == CancelFinishedRun::Refuse {
        return Err(call.invalid(Value::from("Run has already completed.")));
    }
    let delay = TimeDelta::from_std(call.timing.cancelling).unwrap_or_default();
    if let Some(run) = account.runs.get_mut(&id) {
        run.cancel(call.now, delay, "user".to_owned());
    }
    account.replan(call.now, &call.timing);
    answer_run(account, id, call)
}
