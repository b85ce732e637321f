//! A run as dbt writes it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::humanized::put_durations;
use super::retry::retry_refusal;
use super::run::{Phase, Run};
use super::steps::render_step;
use crate::listing::{Cell, Row};
use crate::query::Related;
use crate::stamp;
use crate::switches::Switches;
use crate::world::{Account, Doc, Kind};

/// A run at a time, which is what can be listed.
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

/// What surrounds a run when it is written.
pub(crate) struct Shown<'a> {
    pub(crate) account: &'a Account,
    pub(crate) now: DateTime<Utc>,
    pub(crate) related: &'a Related,
    pub(crate) switches: &'a Switches,
    pub(crate) origin: &'a str,
}

pub(crate) fn render_run(run: &Run, shown: &Shown<'_>) -> Value {
    let now = shown.now;
    let phase = run.phase(now);
    let over = phase.is_over();
    let started = run.started_at.filter(|at| *at <= now);
    let finished = run.ends_at.filter(|at| *at <= now);
    let saved = over && started.is_some() && phase != Phase::Cancelled;
    let refusal = retry_refusal(shown.account, run, now);
    let unseen = shown.switches.cancelled_run_without_finish && phase == Phase::Cancelled;
    let value = json!({
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
        "blocked_by": blocked_by(run, shown),
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
        "href": format!("{}/deploy/{}/projects/{}/runs/{}/", shown.origin, run.account_id, run.project_id, run.id),
        "used_repo_cache": null,
        "audit": null,
    });
    let Value::Object(mut doc) = value else {
        return Value::Null;
    };
    put_durations(&mut doc, run, now);
    put_related(&mut doc, run, shown);
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

/// The unfinished runs of the same job that stand before a waiting one.
fn blocked_by(run: &Run, shown: &Shown<'_>) -> Vec<i64> {
    if run.phase(shown.now) != Phase::Queued || run.is_ci() {
        return Vec::new();
    }
    let runs = shown
        .account
        .open
        .range(..run.id)
        .filter_map(|id| shown.account.runs.get(id));
    runs.filter(|other| other.job_id == run.job_id && !other.is_ci() && !other.phase(shown.now).is_over())
        .map(|other| other.id)
        .collect()
}

/// The trigger of a run.
pub(crate) fn render_trigger(run: &Run) -> Value {
    let mut doc = Doc::new();
    for name in crate::api::trigger::FIELDS.map(|field| field.name) {
        doc.insert(name.to_owned(), run.trigger.get(name).cloned().unwrap_or(Value::Null));
    }
    doc.insert("id".to_owned(), json!(run.trigger_id));
    doc.insert("job_definition_id".to_owned(), json!(run.job_id));
    doc.insert("cause_category".to_owned(), json!(run.cause_category));
    doc.insert("created_at".to_owned(), json!(stamp::spaced(run.created_at)));
    Value::Object(doc)
}

fn put_related(doc: &mut Doc, run: &Run, shown: &Shown<'_>) {
    let mut put = |name: &str, value: Value| doc.insert(name.to_owned(), value);
    if shown.related.has("trigger") {
        put("trigger", render_trigger(run));
    }
    if shown.related.has("job") {
        put(
            "job",
            shown
                .account
                .get(Kind::Jobs, run.job_id)
                .map_or(Value::Null, crate::api::jobs::as_internal),
        );
    }
    let environment = shown.account.get(Kind::Environments, run.environment_id);
    if shown.related.has("environment") {
        put(
            "environment",
            environment.map_or(Value::Null, |doc| Value::Object(doc.clone())),
        );
    }
    if shown.related.has("repository") {
        let id = environment
            .and_then(|doc| doc.get("repository_id"))
            .and_then(Value::as_i64);
        let repository = id.and_then(|id| shown.account.get(Kind::Repositories, id));
        put(
            "repository",
            repository.map_or(Value::Null, |doc| Value::Object(doc.clone())),
        );
    }
    if shown.related.has("run_steps") || shown.related.has("debug_logs") {
        let tail = !shown.related.has("debug_logs");
        let steps = run
            .steps
            .iter()
            .map(|step| Value::Object(render_step(run, step, shown.now, shown.switches, tail)));
        put("run_steps", steps.collect());
    }
    if shown.related.has("run_retries") {
        let retries = shown
            .account
            .runs
            .values()
            .filter(|other| other.retrying_run_id == Some(run.id));
        put(
            "run_retries",
            retries
                .map(|other| json!({ "id": other.id, "created_at": stamp::spaced(other.created_at) }))
                .collect(),
        );
    }
    if shown.related.has("used_repo_cache") {
        put("used_repo_cache", json!(false));
    }
    if shown.related.has("audit") {
        let actor = |name: &str| json!({ "actor": { "id": null, "type": "user", "name": name } });
        let cancelled = run.cancellation.as_ref().map(|cancel| actor(&cancel.by));
        put(
            "audit",
            json!({ "trigger": actor(&run.triggered_by), "cancellation": cancelled }),
        );
    }
}
