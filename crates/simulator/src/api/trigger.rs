//! Trigger a run of a job.

use serde_json::Value;

use super::route::Route;
use super::run_json::answer_run;
use super::start_run::{Start, TRIGGER_FIELDS, start_run};
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::refusal::Refusal;
use crate::reply::Answer;
use crate::switches::{LongCause, Strictness};
use crate::world::World;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::post(
        "/api/v2/accounts/{account_id}/jobs/{job_id}/run/",
        trigger_job_run,
    )]
}

fn trigger_job_run(world: &mut World, call: &Call) -> Answer {
    let body = call.object()?;
    let trigger = accepted(&body, call)?;
    let account = world.account(call)?;
    let job_id = call.id("job_id")?;
    let start = Start {
        category: "api",
        ..Start::default()
    };
    let run_id = start_run(account, job_id, trigger, start, call)?;
    answer_run(account, run_id, call)
}

/// The known fields of a body; others are ignored, as dbt does.
fn accepted(body: &Doc, call: &Call) -> Result<Doc, Refusal> {
    let mut errors = Doc::new();
    let mut trigger = Doc::new();
    for field in TRIGGER_FIELDS {
        let name = field.name;
        let value = body.get(name).unwrap_or(&Value::Null);
        let empty = value.is_null() || value.as_str() == Some("");
        if empty && name == "cause" {
            errors.put(name, "This field is required.");
        } else if empty {
            if body.contains_key(name) && call.switches.null_trigger_fields == Strictness::Refuse {
                errors.put(name, "This field may not be null or blank.");
            }
        } else if let Some(problem) = field.problem(value) {
            errors.put(name, problem);
        } else {
            trigger.put(name, value.clone());
        }
    }
    check_cause(&mut trigger, &mut errors, call);
    if errors.is_empty() {
        Ok(trigger)
    } else {
        Err(call.invalid(Value::Object(errors)))
    }
}

fn check_cause(trigger: &mut Doc, errors: &mut Doc, call: &Call) {
    let limit = call.switches.cause_max_chars;
    let cause = trigger.text("cause");
    if cause.chars().count() <= limit {
        return;
    }
    match call.switches.long_cause {
        LongCause::Accept => {}
        LongCause::Truncate => {
            let cut: String = cause.chars().take(limit).collect();
            trigger.put("cause", cut);
        }
        LongCause::Refuse => {
            errors.put(
                "cause",
                format!("Ensure this field has no more than {limit} characters."),
            );
        }
    }
}
