//! Jobs: the definitions, not their runs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds};
use super::resource::{New, Resource, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::query::Related;
use crate::reply::Refusal;
use crate::routing::Route;
use crate::runs::{Shown, render_run};
use crate::stamp;
use crate::switches::PartialJobUpdate;
use crate::world::{Account, Doc, Kind};

const LIST: &str = "/api/v2/accounts/{account_id}/jobs/";
const ONE: &str = "/api/v2/accounts/{account_id}/jobs/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST, Verb::List, &JOBS),
    Route::usual("POST", LIST, Verb::Create, &JOBS),
    Route::usual("GET", ONE, Verb::Get, &JOBS),
    Route::usual("POST", ONE, Verb::Update, &JOBS),
    Route::usual("DELETE", ONE, Verb::Delete, &JOBS),
];

static JOBS: Resource = Resource {
    listing: Listing {
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
    },
    related: &[
        "environment",
        "custom_environment_variables",
        "most_recent_run",
        "most_recent_completed_run",
        "fusion_readiness",
        "project",
        "account",
    ],
    render,
    prepare,
    time: stamp::offset,
    ..Resource::plain(Kind::Jobs, FIELDS, |new: &New<'_>| {
        blank(&NewJob {
            id: new.id,
            account_id: new.account_id,
            project_id: 0,
            environment_id: 0,
            name: "",
            created_at: new.call.now,
        })
    })
};

const FIELDS: &[Field] = &[
    Field::text("name").required(),
    Field::int("project_id").required(),
    Field::int("environment_id").required(),
    Field::text("dbt_version"),
    Field::int("deferring_environment_id"),
    Field::int("deferring_job_definition_id"),
    Field::text("description"),
    Field::new("execute_steps", Holds::Texts),
    Field::new("execution", Holds::Object),
    Field::flag("generate_docs"),
    Field::text("job_type"),
    Field::flag("lifecycle_webhooks"),
    Field::flag("run_compare_changes"),
    Field::text("compare_changes_flags"),
    Field::flag("run_generate_sources"),
    Field::flag("run_lint"),
    Field::flag("errors_on_lint_failure"),
    Field::new("cost_optimization_features", Holds::Texts),
    Field::new("settings", Holds::Object),
    Field::int("state"),
    Field::flag("triggers_on_draft_pr"),
    Field::new("triggers", Holds::Object),
    Field::new("schedule", Holds::Object),
    Field::flag("generate_sources"),
    // Read-only by the specification, but written by one peer.
    Field::new("job_completion_trigger_condition", Holds::Anything),
];

/// What the specification requires of a whole definition.
const WHOLE: [&str; 9] = [
    "name",
    "project_id",
    "environment_id",
    "execution",
    "generate_docs",
    "run_generate_sources",
    "settings",
    "state",
    "triggers",
];

fn prepare(account: &mut Account, doc: &mut Doc, old: Option<&Doc>, call: &Call) -> Result<(), Refusal> {
    if old.is_some() {
        complete(doc, call)?;
    }
    account.check_pointer(doc, "project_id", Kind::Projects)?;
    account.check_pointer(doc, "environment_id", Kind::Environments)?;
    account.check_pointer(doc, "deferring_environment_id", Kind::Environments)?;
    let triggers = doc.get("triggers").cloned().unwrap_or(Value::Null);
    let on = |name: &str| triggers.get(name) == Some(&json!(true));
    // dbt derives the type from the triggers, whatever was written.
    let derived = if on("github_webhook") || on("git_provider_webhook") {
        "ci"
    } else if on("on_merge") {
        "merge"
    } else if on("schedule") {
        "scheduled"
    } else {
        "other"
    };
    doc.insert("job_type".to_owned(), json!(derived));
    let version = doc.get("dbt_version").cloned().unwrap_or(Value::Null);
    doc.insert("raw_dbt_version".to_owned(), version);
    Ok(())
}

/// An update is a whole definition: says what becomes of the fields that the body leaves out.
fn complete(doc: &mut Doc, call: &Call) -> Result<(), Refusal> {
    let body = call.object()?;
    match call.switches.partial_job_update {
        PartialJobUpdate::Keep => {}
        PartialJobUpdate::Refuse => {
            let missing = WHOLE.into_iter().filter(|name| !body.contains_key(*name));
            let errors: Doc = missing
                .map(|name| (name.to_owned(), json!("This field is required.")))
                .collect();
            if !errors.is_empty() {
                return Err(call.invalid(Value::Object(errors)));
            }
        }
        PartialJobUpdate::ResetToDefaults => {
            let new = NewJob {
                id: 0,
                account_id: 0,
                project_id: 0,
                environment_id: 0,
                name: "",
                created_at: call.now,
            };
            let defaults = blank(&new);
            for field in FIELDS
                .iter()
                .filter(|field| !field.required && !body.contains_key(field.name))
            {
                let default = defaults.get(field.name).cloned().unwrap_or(Value::Null);
                doc.insert(field.name.to_owned(), default);
            }
        }
    }
    Ok(())
}

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

fn render(account: &Account, job: &Doc, call: &Call) -> Value {
    let related = call.related();
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
