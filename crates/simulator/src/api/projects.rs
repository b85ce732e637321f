//! Projects, in v3 and (deprecated) in v2.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fields::Field;
use super::resource::{ALL_VERBS, Resource};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Listing;
use crate::refusal::Refusal;
use crate::stamp;
use crate::world::{Account, Kind};

pub(crate) fn routes() -> Vec<Route> {
    [
        resource_routes("/api/v3/accounts/{account_id}/projects/", &PROJECTS, &ALL_VERBS),
        resource_routes("/api/v2/accounts/{account_id}/projects/", &PROJECTS, &ALL_VERBS),
    ]
    .concat()
}

static PROJECTS: Resource = Resource {
    listing: Listing::active(&["pk", "pk__in", "pk__gt", "name__icontains", "state"]),
    related: &["connection", "environments", "repository", "docs_job", "freshness_job"],
    render,
    prepare: check_references,
    ..Resource::plain(Kind::Projects, FIELDS, |new| {
        Value::Object(blank(new.id, new.account_id, "", new.call.now))
    })
};

const FIELDS: &[Field] = &[
    Field::text("name").required(),
    Field::text("description"),
    Field::int("connection_id"),
    Field::int("repository_id"),
    Field::int("semantic_layer_config_id"),
    Field::int("state"),
    Field::text("dbt_project_subdirectory"),
    Field::int("docs_job_id"),
    Field::int("freshness_job_id"),
    Field::int("type"),
];

/// A project with every field of dbt's.
pub(crate) fn blank(id: i64, account_id: i64, name: &str, created_at: DateTime<Utc>) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "name": name,
        "description": null,
        "connection_id": null,
        "repository_id": null,
        "semantic_layer_config_id": null,
        "skipped_setup": false,
        "state": 1,
        "dbt_project_subdirectory": null,
        "docs_job_id": null,
        "freshness_job_id": null,
        "type": 0,
        "group_permissions": [],
        "fusion_readiness": null,
        "default_version": null,
        "created_at": stamp::spaced(created_at),
        "updated_at": stamp::spaced(created_at),
    }))
}

/// A project with the objects that it refers to.
fn render(account: &Account, project: &Doc, call: &Call) -> Value {
    let mut doc = project.clone();
    for (name, kind) in [
        ("connection", Kind::Connections),
        ("repository", Kind::Repositories),
        ("docs_job", Kind::Jobs),
        ("freshness_job", Kind::Jobs),
    ] {
        doc.put(name, account.referenced(project, kind, &format!("{name}_id")));
    }
    let requested = call.related().has("environments");
    let environments = account.rows(Kind::Environments);
    let environments = environments.filter(|row| requested && row.has("project_id", project.value("id")));
    doc.put(
        "environments",
        environments.cloned().map(Value::Object).collect::<Value>(),
    );
    Value::Object(doc)
}

fn check_references(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    for (field, kind) in [
        ("connection_id", Kind::AccountConnections),
        ("repository_id", Kind::Repositories),
    ] {
        account.check_reference(doc, field, kind)?;
    }
    Ok(())
}
