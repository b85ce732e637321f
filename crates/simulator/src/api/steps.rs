//! One step of a run.

use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::routing::Route;
use crate::runs::{render_run, render_step, render_trigger};
use crate::world::{Kind, World};

pub(crate) const ROUTES: &[Route] = &[Route::get("/api/v2/accounts/{account_id}/steps/{id}/", get_step)];

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
        doc.insert("trigger".to_owned(), render_trigger(run));
    }
    if related.has("job") {
        let job = account
            .get(Kind::Jobs, run.job_id)
            .map_or(Value::Null, super::jobs::as_internal);
        doc.insert("job".to_owned(), job);
    }
    let shown = crate::runs::Shown {
        account,
        now: call.now,
        related: &crate::query::Related::default(),
        switches: &call.switches,
        origin: &call.origin,
    };
    let href = render_run(run, &shown).get("href").cloned();
    doc.insert("run".to_owned(), json!({ "id": run.id, "href": href }));
    Ok(Reply::One(Value::Object(doc)))
}
