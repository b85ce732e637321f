//! Jobs: the definitions, not their runs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::accounts::as_doc;
use crate::call::Call;
use crate::query::{Listing, Related, Selection, select};
use crate::reply::{Answer, Reply};
use crate::routing::Route;
use crate::runs::{Shown, render_run};
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/v2/accounts/{account_id}/jobs/", list_jobs),
    Route::get("/api/v2/accounts/{account_id}/jobs/{id}/", get_job),
];

const LISTING: Listing = Listing {
    filters: &[
        "pk",
        "state",
        "project_id",
        "project_id__in",
        "environment_id",
        "name__icontains",
        "dbt_version__in",
        "is_system",
        "triggers_schedule",
    ],
    default_state: Some(1),
    default_limit: 100,
};

const RELATED: [&str; 7] = [
    "environment",
    "custom_environment_variables",
    "most_recent_run",
    "most_recent_completed_run",
    "fusion_readiness",
    "project",
    "account",
];

/// Which job a seed or a request makes.
pub(crate) struct NewJob<'a> {
    pub(crate) id: i64,
    pub(crate) account_id: i64,
    pub(crate) project_id: i64,
    pub(crate) environment_id: i64,
    pub(crate) name: &'a str,
    pub(crate) created_at: DateTime<Utc>,
}

/// A job with every field dbt lists.
pub(crate) fn blank(new: &NewJob<'_>) -> Doc {
    as_doc(json!({
        "id": new.id,
        "account_id": new.account_id,
        "project_id": new.project_id,
        "environment_id": new.environment_id,
        "name": new.name,
        "description": "",
        "dbt_version": null,
        "raw_dbt_version": null,
        "deferring_environment_id": null,
        "deferring_job_definition_id": null,
        "execute_steps": ["dbt build"],
        "execution": { "timeout_seconds": 0 },
        "generate_docs": false,
        "run_generate_sources": false,
        "generate_sources": false,
        "is_deferrable": false,
        "is_system": false,
        "job_type": "other",
        "lifecycle_webhooks": false,
        "lifecycle_webhooks_url": null,
        "run_compare_changes": false,
        "compare_changes_flags": "--select state:modified",
        "run_failure_count": 0,
        "run_lint": false,
        "errors_on_lint_failure": true,
        "cost_optimization_features": [],
        "settings": { "threads": 4, "target_name": "default" },
        "state": 1,
        "triggers_on_draft_pr": false,
        "triggers": { "github_webhook": false, "git_provider_webhook": false, "schedule": false, "on_merge": false, "custom_branch_only": true },
        "job_completion_trigger_condition": null,
        "schedule": { "cron": "0 * * * *", "date": { "type": "every_day" }, "time": { "type": "every_hour", "interval": 1 } },
        "account": null,
        "project": null,
        "environment": null,
        "fusion_readiness": null,
        "cron_humanized": "Every hour",
        "next_run": null,
        "next_run_humanized": null,
        "created_at": stamp::offset(new.created_at),
        "updated_at": stamp::offset(new.created_at),
    }))
}

/// The definition as a run carries it, whose schedule has another form.
pub(crate) fn as_internal(job: &Doc) -> Value {
    let mut doc = job.clone();
    let part = |name: &str| {
        job.get("schedule")
            .and_then(|schedule| schedule.get(name))
            .cloned()
            .unwrap_or(Value::Null)
    };
    let kind = |name: &str| part(name).get("type").cloned().unwrap_or(Value::Null);
    doc.insert(
        "schedule".to_owned(),
        json!({ "cron": part("cron"), "date": kind("date"), "time": kind("time") }),
    );
    Value::Object(doc)
}

pub(crate) fn render(account: &Account, job: &Doc, related: &Related, call: &Call) -> Value {
    let mut doc = job.clone();
    let id = job.get("id").and_then(Value::as_i64).unwrap_or_default();
    let mut pointed = |name: &str, kind: Kind, field: &str| {
        if related.has(name) {
            let target = job
                .get(field)
                .and_then(Value::as_i64)
                .and_then(|id| account.get(kind, id));
            doc.insert(
                name.to_owned(),
                target.map_or(Value::Null, |doc| Value::Object(doc.clone())),
            );
        }
    };
    pointed("environment", Kind::Environments, "environment_id");
    pointed("project", Kind::Projects, "project_id");
    if related.has("account") {
        doc.insert("account".to_owned(), Value::Object(account.doc.clone()));
    }
    if related.has("custom_environment_variables") {
        doc.insert("custom_environment_variables".to_owned(), json!([]));
    }
    let plain = Related::default();
    let shown = Shown {
        account,
        now: call.now,
        related: &plain,
        switches: &call.switches,
        origin: &call.origin,
    };
    if related.has("most_recent_run") {
        let run = account
            .latest_run_of(id)
            .map_or(Value::Null, |run| render_run(run, &shown));
        doc.insert("most_recent_run".to_owned(), run);
    }
    if related.has("most_recent_completed_run") {
        let run = account
            .runs
            .values()
            .rev()
            .find(|run| run.job_id == id && run.phase(call.now).is_over());
        doc.insert(
            "most_recent_completed_run".to_owned(),
            run.map_or(Value::Null, |run| render_run(run, &shown)),
        );
    }
    Value::Object(doc)
}

fn list_jobs(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let rows: Selection<'_, Doc> = select(
        account.rows(Kind::Jobs),
        account.id,
        &call.query,
        &LISTING,
        &call.switches,
    )?;
    Ok(Reply::List(rows.page(|row| render(account, row, &related, call))))
}

fn get_job(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let job = account.find(Kind::Jobs, call.id("id")?)?;
    Ok(Reply::One(render(account, job, &related, call)))
}
