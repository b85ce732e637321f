//! Starts a run of a job, for a trigger, a rerun or a retry.

use chrono::TimeDelta;
use serde_json::Value;

use super::fields::{Field, FieldType};
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::refusal::Refusal;
use crate::runs::{NewRun, Run, Step, plan_steps};
use crate::world::{Account, Failure, Kind};

pub(crate) const TRIGGER_FIELDS: [Field; 14] = [
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
    Field::new("steps_override", FieldType::Texts),
];

/// The reason of a run, and what differs from a plain trigger.
#[derive(Default)]
pub(crate) struct Start {
    /// `cause_category` of the trigger; of a pull request it is always `ci`.
    pub(crate) category: &'static str,
    pub(crate) retry_of: Option<i64>,
    /// The commands of a retry; otherwise those of the job or the trigger.
    pub(crate) commands: Option<Vec<String>>,
}

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
    let new = NewRun {
        id,
        trigger_id: account.ids.next(),
        created_at: call.now,
        trigger,
        cause_category: start.category,
        triggered_by: call.caller_name().to_owned(),
        steps,
        retrying_run_id: start.retry_of,
    };
    let environment = job
        .int("environment_id")
        .and_then(|id| account.get(Kind::Environments, id));
    let version = environment
        .and_then(|row| row.get("dbt_version"))
        .and_then(Value::as_str);
    let mut run = Run::of_job(&job, version.unwrap_or("latest"), new);
    if run.is_ci() {
        run.cause_category = "ci";
    }
    if call.switches.run_hidden_secs > 0 {
        let hidden = TimeDelta::seconds(i64::try_from(call.switches.run_hidden_secs).unwrap_or(0));
        run.hidden_until = Some(call.now + hidden);
    }
    account.add_run(run);
    account.replan(call.now, &call.timing);
    Ok(id)
}

/// The commands of the job or of the trigger, with source freshness before them and docs after them where requested.
fn commands_of(job: &Doc, trigger: &Doc) -> Vec<String> {
    let overriding = trigger.items("steps_override");
    let steps = if overriding.is_empty() {
        job.items("execute_steps")
    } else {
        overriding
    };
    let mut commands: Vec<String> = steps.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    if job.flag("run_generate_sources") == Some(true) {
        commands.insert(0, "dbt source freshness".to_owned());
    }
    let docs = trigger.flag("generate_docs_override").or(job.flag("generate_docs"));
    if docs == Some(true) {
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
