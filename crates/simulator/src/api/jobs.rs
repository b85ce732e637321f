//! Jobs.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::{Field, FieldType};
use super::resource::{ALL_VERBS, Resource};
use super::route::{Route, resource_routes};
use super::run_json::{RunContext, render_run};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Listing;
use crate::query::Related;
use crate::refusal::Refusal;
use crate::stamp;
use crate::switches::PartialJobUpdate;
use crate::world::{Account, Kind};

pub(crate) fn routes() -> Vec<Route> {
    resource_routes("/api/v2/accounts/{account_id}/jobs/", &JOBS, &ALL_VERBS)
}

static JOBS: Resource = Resource {
    listing: Listing::active(&[
        "pk",
        "state",
        "project_id",
        "project_id__in",
        "environment_id",
        "name__icontains",
        "dbt_version__in",
        "is_system",
        "triggers_schedule",
    ]),
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
    ..Resource::plain(Kind::Jobs, FIELDS, |new| Value::Object(defaults(new.call.now)))
};

const FIELDS: &[Field] = &[
    Field::text("name").required(),
    Field::int("project_id").required(),
    Field::int("environment_id").required(),
    Field::text("dbt_version"),
    Field::int("deferring_environment_id"),
    Field::int("deferring_job_definition_id"),
    Field::text("description"),
    Field::new("execute_steps", FieldType::Texts),
    Field::new("execution", FieldType::Object),
    Field::flag("generate_docs"),
    Field::text("job_type"),
    Field::flag("lifecycle_webhooks"),
    Field::flag("run_compare_changes"),
    Field::text("compare_changes_flags"),
    Field::flag("run_generate_sources"),
    Field::flag("run_lint"),
    Field::flag("errors_on_lint_failure"),
    Field::new("cost_optimization_features", FieldType::Texts),
    Field::new("settings", FieldType::Object),
    Field::int("state"),
    Field::flag("triggers_on_draft_pr"),
    Field::new("triggers", FieldType::Object),
    Field::new("schedule", FieldType::Object),
    Field::flag("generate_sources"),
    // Not in the specification; clients write it.
    Field::flag("force_node_selection"),
    // Read-only in the specification, but one client writes it.
    Field::new("job_completion_trigger_condition", FieldType::Anything),
];

/// The fields that the specification requires in an update.
const REQUIRED_IN_UPDATE: [&str; 9] = [
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
    account.check_reference(doc, "project_id", Kind::Projects)?;
    account.check_reference(doc, "environment_id", Kind::Environments)?;
    account.check_reference(doc, "deferring_environment_id", Kind::Environments)?;
    let triggers = as_doc(doc.value("triggers"));
    let on = |name: &str| triggers.flag(name) == Some(true);
    // dbt derives the type from the triggers and ignores the one in the body.
    let derived = if on("github_webhook") || on("git_provider_webhook") {
        "ci"
    } else if on("on_merge") {
        "merge"
    } else if on("schedule") {
        "scheduled"
    } else {
        "other"
    };
    let is_given = call
        .object()?
        .get("force_node_selection")
        .is_some_and(|given| !given.is_null());
    if is_given && ["ci", "merge"].contains(&derived) {
        // The status that clients have reported for this.
        let words = "force_node_selection cannot be set for CI and merge jobs.";
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, words));
    }
    doc.put("job_type", derived);
    doc.put("raw_dbt_version", doc.value("dbt_version"));
    Ok(())
}

/// Completes or refuses an update whose body lacks fields; dbt expects the whole definition.
fn complete(doc: &mut Doc, call: &Call) -> Result<(), Refusal> {
    let body = call.object()?;
    match call.switches.partial_job_update {
        PartialJobUpdate::Keep => {}
        PartialJobUpdate::Refuse => {
            let missing = REQUIRED_IN_UPDATE.into_iter().filter(|name| !body.contains_key(*name));
            let errors: Doc = missing
                .map(|name| (name.to_owned(), json!("This field is required.")))
                .collect();
            if !errors.is_empty() {
                return Err(call.invalid(Value::Object(errors)));
            }
        }
        PartialJobUpdate::ResetToDefaults => {
            let defaults = defaults(call.now);
            for field in FIELDS
                .iter()
                .filter(|field| !field.required && !body.contains_key(field.name))
            {
                doc.put(field.name, defaults.value(field.name));
            }
        }
    }
    Ok(())
}

/// A job of the seed.
pub(crate) struct NewJob<'a> {
    pub(crate) id: i64,
    pub(crate) account_id: i64,
    pub(crate) project_id: i64,
    pub(crate) environment_id: i64,
    pub(crate) name: &'a str,
    pub(crate) created_at: DateTime<Utc>,
}

/// A job of the seed with every field of dbt's.
pub(crate) fn blank(new: &NewJob<'_>) -> Doc {
    let mut doc = defaults(new.created_at);
    doc.put("id", new.id);
    doc.put("account_id", new.account_id);
    doc.put("project_id", new.project_id);
    doc.put("environment_id", new.environment_id);
    doc.put("name", new.name);
    doc
}

fn defaults(created_at: DateTime<Utc>) -> Doc {
    as_doc(json!({
        "description": "",
        "dbt_version": null,
        "raw_dbt_version": null,
        "deferring_environment_id": null,
        "deferring_job_definition_id": null,
        "execute_steps": ["dbt build"],
        "force_node_selection": true,
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
        "created_at": stamp::offset(created_at),
        "updated_at": stamp::offset(created_at),
    }))
}

fn render(account: &Account, job: &Doc, call: &Call) -> Value {
    let related = call.related();
    let mut doc = job.clone();
    let id = job.int("id").unwrap_or_default();
    if related.has("environment") {
        doc.put(
            "environment",
            account.referenced(job, Kind::Environments, "environment_id"),
        );
    }
    if related.has("project") {
        doc.put("project", account.referenced(job, Kind::Projects, "project_id"));
    }
    if related.has("account") {
        doc.put("account", account.doc.clone());
    }
    if related.has("custom_environment_variables") {
        doc.put("custom_environment_variables", json!([]));
    }
    let none = Related::default();
    let context = RunContext::new(account, call, &none);
    if related.has("most_recent_run") {
        let run = account.latest_run_of(id).map(|run| render_run(run, &context));
        doc.put("most_recent_run", run);
    }
    if related.has("most_recent_completed_run") {
        let mut runs = account.runs.values().rev();
        let run = runs.find(|run| run.job_id == id && run.phase(call.now).is_over());
        doc.put("most_recent_completed_run", run.map(|run| render_run(run, &context)));
    }
    Value::Object(doc)
}
