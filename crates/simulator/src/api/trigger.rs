//! Starting a run of a job: the 14 fields of the body, their rules, and what they change.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::fields::{Field, Holds};
use crate::call::Call;
use crate::query::Related;
use crate::reply::{Answer, Refusal, Reply};
use crate::routing::Route;
use crate::runs::{Run, RunOrder, Shown, Step, plan_steps, render_run};
use crate::switches::{LongCause, Strictness};
use crate::world::{Account, Doc, Failure, Kind, World};

pub(crate) const ROUTES: &[Route] = &[Route::post(
    "/api/v2/accounts/{account_id}/jobs/{job_id}/run/",
    trigger_job_run,
)];

/// The body of a trigger.
pub(crate) const FIELDS: [Field; 14] = [
    Field::text("cause"),
    Field::text("git_sha"),
    Field::text("git_branch"),
    Field::int("azure_pull_request_id"),
    Field::int("github_pull_request_id"),
    Field::int("gitlab_merge_request_id"),
    Field::int("non_native_pull_request_id"),
    Field::text("schema_override"),
    Field::text("dbt_version_override"),
    Field::int("threads_override"),
    Field::text("target_name_override"),
    Field::flag("generate_docs_override"),
    Field::int("timeout_seconds_override"),
    Field::new("steps_override", Holds::Texts),
];

fn trigger_job_run(world: &mut World, call: &Call) -> Answer {
    let body = call.object()?;
    let trigger = accepted(&body, call)?;
    let account = world.account(call)?;
    let job_id = call.id("job_id")?;
    let run_id = start_run(
        account,
        job_id,
        trigger,
        Start {
            category: "api",
            retry_of: None,
            commands: None,
        },
        call,
    )?;
    answer_run(account, run_id, call)
}

/// Answers a run that was just made or changed.
pub(crate) fn answer_run(account: &Account, run_id: i64, call: &Call) -> Answer {
    let run = account.runs.get(&run_id).ok_or_else(Refusal::not_found)?;
    let related = Related::default();
    let shown = Shown {
        account,
        now: call.now,
        related: &related,
        switches: &call.switches,
        origin: &call.origin,
    };
    Ok(Reply::One(render_run(run, &shown)))
}

/// The fields of a body that were understood; others are ignored, as dbt ignores them.
fn accepted(body: &Doc, call: &Call) -> Result<Doc, Refusal> {
    let mut errors = Doc::new();
    let mut trigger = Doc::new();
    for field in FIELDS {
        let name = field.name;
        let value = body.get(name).unwrap_or(&Value::Null);
        let empty = value.is_null() || value.as_str() == Some("");
        if empty && name == "cause" {
            errors.insert(name.to_owned(), json!("This field is required."));
        } else if empty {
            if body.contains_key(name) && call.switches.null_trigger_fields == Strictness::Refuse {
                errors.insert(name.to_owned(), json!("This field may not be null or blank."));
            }
        } else if let Some(problem) = field.problem(value) {
            errors.insert(name.to_owned(), json!(problem));
        } else {
            trigger.insert(name.to_owned(), value.clone());
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
    let Some(cause) = trigger.get("cause").and_then(Value::as_str) else {
        return;
    };
    if cause.chars().count() <= limit {
        return;
    }
    match call.switches.long_cause {
        LongCause::Accept => {}
        LongCause::Truncate => {
            let cut: String = cause.chars().take(limit).collect();
            trigger.insert("cause".to_owned(), json!(cut));
        }
        LongCause::Refuse => {
            errors.insert(
                "cause".to_owned(),
                json!(format!("Ensure this field has no more than {limit} characters.")),
            );
        }
    }
}

/// Why a run starts.
pub(crate) struct Start {
    pub(crate) category: &'static str,
    pub(crate) retry_of: Option<i64>,
    /// Only these commands, for a retry.
    pub(crate) commands: Option<Vec<String>>,
}

/// Puts a run of the job into the queue and says its id.
pub(crate) fn start_run(
    account: &mut Account,
    job_id: i64,
    trigger: Doc,
    start: Start,
    call: &Call,
) -> Result<i64, Refusal> {
    let job = account.find(Kind::Jobs, job_id)?.clone();
    let id = account.ids.next();
    let commands = start.commands.unwrap_or_else(|| commands_of(&job, &trigger));
    let steps = steps_of(account, job_id, &commands, call);
    let category = if is_ci(&trigger) { "ci" } else { start.category };
    let order = RunOrder {
        id,
        trigger_id: account.ids.next(),
        created_at: call.now,
        trigger,
        cause_category: category,
        triggered_by: call.caller_name(),
        steps,
        retrying_run_id: start.retry_of,
    };
    let environment = job
        .get("environment_id")
        .and_then(Value::as_i64)
        .and_then(|id| account.get(Kind::Environments, id));
    let version = environment
        .and_then(|row| row.get("dbt_version"))
        .and_then(Value::as_str)
        .unwrap_or("latest")
        .to_owned();
    let mut run = Run::of_job(&job, &version, order);
    if call.switches.run_hidden_secs > 0 {
        let hidden = TimeDelta::seconds(i64::try_from(call.switches.run_hidden_secs).unwrap_or(0));
        run.hidden_until = Some(call.now + hidden);
    }
    account.add_run(run);
    account.replan(call.now, &call.timing);
    Ok(id)
}

fn is_ci(trigger: &Doc) -> bool {
    trigger.iter().any(|(name, value)| {
        (name.ends_with("_pull_request_id") || name.ends_with("_merge_request_id")) && value.is_i64()
    })
}

/// The commands of a run: the job's or the overriding ones, sources first and docs last where they are asked for.
fn commands_of(job: &Doc, trigger: &Doc) -> Vec<String> {
    let texts = |value: Option<&Value>| -> Option<Vec<String>> {
        Some(
            value?
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect(),
        )
    };
    let own = || texts(job.get("execute_steps")).unwrap_or_default();
    let mut commands = texts(trigger.get("steps_override"))
        .filter(|steps| !steps.is_empty())
        .unwrap_or_else(own);
    if job.get("run_generate_sources") == Some(&json!(true)) {
        commands.insert(0, "dbt source freshness".to_owned());
    }
    let docs = trigger.get("generate_docs_override").or(job.get("generate_docs"));
    if docs == Some(&json!(true)) {
        commands.push("dbt docs generate".to_owned());
    }
    commands
}

fn steps_of(account: &mut Account, job_id: i64, commands: &[String], call: &Call) -> Vec<Step> {
    let ids = account.ids.clone();
    let script = account.scripts.entry(job_id).or_default();
    let failure = script.outcome.take_failure();
    let seconds = script
        .command_secs
        .map(|seconds| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0)));
    let length = seconds.unwrap_or_else(|| TimeDelta::from_std(call.timing.command_step).unwrap_or_default());
    let failing = match failure {
        Some(Failure::Command(nth)) => Some(nth),
        _ => None,
    };
    plan_steps(
        commands,
        length,
        &call.timing,
        failure == Some(Failure::Early),
        failing,
        || ids.next(),
    )
}
