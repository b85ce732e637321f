//! A run as JSON, and as a row of a list.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::run_durations::put_durations;
use super::start_run::TRIGGER_FIELDS;
use super::step_json::render_step;
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::{Cell, Row};
use crate::query::Related;
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::runs::{Phase, Run, retry_refusal};
use crate::stamp;
use crate::switches::Switches;
use crate::world::{Account, Kind};

/// A run at a time, as a row of a list.
pub(crate) struct RunAt<'a> {
    pub(crate) run: &'a Run,
    pub(crate) now: DateTime<Utc>,
}

impl Row for RunAt<'_> {
    fn cell(&self, field: &str) -> Cell<'_> {
        let run = self.run;
        match field {
            "id" => Cell::Int(run.id),
            "account_id" => Cell::Int(run.account_id),
            "project_id" => Cell::Int(run.project_id),
            "environment_id" => Cell::Int(run.environment_id),
            "job_definition_id" => Cell::Int(run.job_id),
            "status" => Cell::Int(run.phase(self.now).number()),
            "created_at" => Cell::Time(run.created_at),
            "finished_at" => run
                .ends_at
                .filter(|end| *end <= self.now)
                .map_or(Cell::Null, Cell::Time),
            "dbt_version" => Cell::Text(Cow::Borrowed(&run.dbt_version)),
            "has_docs_generated" => Cell::Bool(run.generates_docs && run.phase(self.now) == Phase::Success),
            "has_sources_generated" => Cell::Bool(run.generates_sources && run.phase(self.now) == Phase::Success),
            "state" => Cell::Int(1),
            _ => Cell::Null,
        }
    }
}

/// What the JSON of a run depends on besides the run.
pub(crate) struct RunContext<'a> {
    account: &'a Account,
    related: &'a Related,
    now: DateTime<Utc>,
    switches: &'a Switches,
    origin: &'a str,
}

impl<'a> RunContext<'a> {
    pub(crate) fn new(account: &'a Account, call: &'a Call, related: &'a Related) -> Self {
        Self {
            account,
            related,
            now: call.now,
            switches: &call.switches,
            origin: &call.origin,
        }
    }
}

/// The answer with a run that was just added or changed.
pub(crate) fn answer_run(account: &Account, run_id: i64, call: &Call) -> Answer {
    let run = account.runs.get(&run_id).ok_or_else(Refusal::not_found)?;
    let related = Related::default();
    Ok(Reply::One(render_run(run, &RunContext::new(account, call, &related))))
}

/// The address of a run in the web application.
pub(crate) fn href(run: &Run, origin: &str) -> String {
    let (account_id, project_id) = (run.account_id, run.project_id);
    format!("{origin}/deploy/{account_id}/projects/{project_id}/runs/{}/", run.id)
}

pub(crate) fn render_run(run: &Run, context: &RunContext<'_>) -> Value {
    let now = context.now;
    let phase = run.phase(now);
    let over = phase.is_over();
    let started = run.started_at.filter(|at| *at <= now);
    let finished = run.ends_at.filter(|at| *at <= now);
    let saved = over && started.is_some() && phase != Phase::Cancelled;
    let refusal = retry_refusal(run, context.account.latest_run_of(run.job_id), now);
    let unseen = context.switches.cancelled_run_without_finish && phase == Phase::Cancelled;
    let mut doc = as_doc(json!({
        "id": run.id,
        "trigger_id": run.trigger_id,
        "account_id": run.account_id,
        "environment_id": run.environment_id,
        "project_id": run.project_id,
        "job_definition_id": run.job_id,
        "job_id": run.job_id,
        "status": phase.number(),
        "status_humanized": phase.word(),
        "status_message": status_message(run, phase),
        "dbt_version": run.dbt_version,
        "git_branch": started.map(|_| run.git_branch()),
        "git_sha": started.map(|_| run.git_sha()),
        "owner_thread_id": null,
        "executed_by_thread_id": started.map(|_| format!("dbt-run-{}-{}", run.id, &run.git_sha()[..5])),
        "deferring_run_id": null,
        "artifacts_saved": saved,
        "artifact_s3_path": saved.then(|| format!("prod/runs/{}/artifacts/target", run.id)),
        "has_docs_generated": run.generates_docs && phase == Phase::Success,
        "has_sources_generated": run.generates_sources && phase == Phase::Success,
        "notifications_sent": over && phase != Phase::Cancelled,
        "blocked_by": blocked_by(run, context),
        "scribe_enabled": true,
        "created_at": stamp::spaced(run.created_at),
        "updated_at": stamp::spaced(finished.or(started).unwrap_or(run.created_at)),
        "dequeued_at": stamp::spaced_or_null(run.dequeued_at.filter(|at| *at <= now)),
        "started_at": stamp::spaced_or_null(started),
        "finished_at": stamp::spaced_or_null(finished.filter(|_| !unseen)),
        "last_checked_at": null,
        "last_heartbeat_at": null,
        "should_start_at": null,
        "trigger": null,
        "job": null,
        "environment": null,
        "run_steps": [],
        "deprecation": null,
        "in_progress": !over,
        "is_complete": over,
        "is_success": phase == Phase::Success,
        "is_error": phase == Phase::Error,
        "is_cancelled": phase == Phase::Cancelled,
        "is_running": phase == Phase::Running,
        "retrying_run_id": run.retrying_run_id,
        "can_retry": refusal.is_none(),
        "retry_not_supported_reason": refusal,
        "href": href(run, context.origin),
        "used_repo_cache": null,
        "audit": null,
    }));
    put_durations(&mut doc, run, now);
    put_related(&mut doc, run, context);
    Value::Object(doc)
}

fn status_message(run: &Run, phase: Phase) -> Option<String> {
    match phase {
        Phase::Cancelled => run
            .cancellation
            .as_ref()
            .map(|cancel| format!("Cancelled by {}.", cancel.by)),
        Phase::Error => run
            .steps
            .iter()
            .find(|step| step.fails)
            .map(|step| format!("Failed in step {}: {}", step.index, step.name)),
        _ => None,
    }
}

/// The unfinished runs of the job that a queued run waits for.
fn blocked_by(run: &Run, context: &RunContext<'_>) -> Vec<i64> {
    if run.phase(context.now) != Phase::Queued || run.is_ci() {
        return Vec::new();
    }
    let runs = context
        .account
        .open
        .range(..run.id)
        .filter_map(|id| context.account.runs.get(id));
    runs.filter(|other| other.job_id == run.job_id && !other.is_ci() && !other.phase(context.now).is_over())
        .map(|other| other.id)
        .collect()
}

pub(crate) fn render_trigger(run: &Run) -> Value {
    let mut doc = Doc::new();
    for field in TRIGGER_FIELDS {
        doc.put(field.name, run.trigger.value(field.name));
    }
    doc.put("id", run.trigger_id);
    doc.put("job_definition_id", run.job_id);
    doc.put("cause_category", run.cause_category);
    doc.put("created_at", stamp::spaced(run.created_at));
    Value::Object(doc)
}

/// The job of a run; its schedule has another form than in the job itself.
pub(crate) fn render_job(account: &Account, run: &Run) -> Value {
    let Some(job) = account.get(Kind::Jobs, run.job_id) else {
        return Value::Null;
    };
    let mut doc = job.clone();
    let schedule = doc.value("schedule");
    doc.put(
        "schedule",
        json!({ "cron": schedule["cron"], "date": schedule["date"]["type"], "time": schedule["time"]["type"] }),
    );
    Value::Object(doc)
}

fn put_related(doc: &mut Doc, run: &Run, context: &RunContext<'_>) {
    let RunContext { account, related, .. } = *context;
    let environment = account.get(Kind::Environments, run.environment_id);
    if related.has("trigger") {
        doc.put("trigger", render_trigger(run));
    }
    if related.has("job") {
        doc.put("job", render_job(account, run));
    }
    if related.has("environment") {
        doc.put("environment", environment.cloned().map_or(Value::Null, Value::Object));
    }
    if related.has("repository") {
        let repository = environment.map(|row| account.referenced(row, Kind::Repositories, "repository_id"));
        doc.put("repository", repository);
    }
    let debug_logs = related.has("debug_logs");
    if related.has("run_steps") || debug_logs {
        let steps = run.steps.iter();
        let steps = steps.map(|step| render_step(run, step, context.now, context.switches, !debug_logs));
        doc.put("run_steps", steps.map(Value::Object).collect::<Value>());
    }
    if related.has("run_retries") {
        let retries = account
            .runs
            .values()
            .filter(|other| other.retrying_run_id == Some(run.id));
        let retries = retries.map(|other| json!({ "id": other.id, "created_at": stamp::spaced(other.created_at) }));
        doc.put("run_retries", retries.collect::<Value>());
    }
    if related.has("used_repo_cache") {
        doc.put("used_repo_cache", false);
    }
    if related.has("audit") {
        let actor = |name: &str| json!({ "actor": { "id": null, "type": "user", "name": name } });
        let cancellation = run.cancellation.as_ref().map(|cancellation| actor(&cancellation.by));
        doc.put(
            "audit",
            json!({ "trigger": actor(&run.triggered_by), "cancellation": cancellation }),
        );
    }
}
