//! One step of a run.

use serde_json::{Value, json};

use super::route::Route;
use super::run_json::{href, render_job, render_trigger};
use super::step_json::render_step;
use crate::call::Call;
use crate::document::Fields as _;
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::world::World;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/api/v2/accounts/{account_id}/steps/{id}/", get_step)]
}

const RELATED: [&str; 3] = ["trigger", "job", "debug_logs"];

fn get_step(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let id = call.id("id")?;
    let mut visible = account.runs.values().filter(|run| !run.is_hidden(call.now));
    let found = visible.find_map(|run| Some((run, run.steps.iter().find(|step| step.id == id)?)));
    let (run, step) = found.ok_or_else(Refusal::not_found)?;
    let mut doc = render_step(run, step, call.now, &call.switches, !related.has("debug_logs"));
    if related.has("trigger") {
        doc.put("trigger", render_trigger(run));
    }
    if related.has("job") {
        doc.put("job", render_job(account, run));
    }
    doc.put("run", json!({ "id": run.id, "href": href(run, &call.origin) }));
    Ok(Reply::One(Value::Object(doc)))
}
