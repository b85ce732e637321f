//! Projects, in v3 and its deprecated v2 twin.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::Field;
use super::resource::{New, Resource, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::reply::Refusal;
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind};

const LIST_V3: &str = "/api/v3/accounts/{account_id}/projects/";
const ONE_V3: &str = "/api/v3/accounts/{account_id}/projects/{id}/";
const LIST_V2: &str = "/api/v2/accounts/{account_id}/projects/";
const ONE_V2: &str = "/api/v2/accounts/{account_id}/projects/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST_V3, Verb::List, &PROJECTS),
    Route::usual("POST", LIST_V3, Verb::Create, &PROJECTS),
    Route::usual("GET", ONE_V3, Verb::Get, &PROJECTS),
    Route::usual("POST", ONE_V3, Verb::Update, &PROJECTS),
    Route::usual("DELETE", ONE_V3, Verb::Delete, &PROJECTS),
    Route::usual("GET", LIST_V2, Verb::List, &PROJECTS),
    Route::usual("POST", LIST_V2, Verb::Create, &PROJECTS),
    Route::usual("GET", ONE_V2, Verb::Get, &PROJECTS),
    Route::usual("POST", ONE_V2, Verb::Update, &PROJECTS),
    Route::usual("DELETE", ONE_V2, Verb::Delete, &PROJECTS),
];

static PROJECTS: Resource = Resource {
    listing: Listing {
        filters: &["pk", "pk__in", "pk__gt", "name__icontains", "state"],
        default_state: Some(1),
        default_limit: 100,
    },
    related: &["connection", "environments", "repository", "docs_job", "freshness_job"],
    render,
    prepare: point_to_what_exists,
    ..Resource::plain(Kind::Projects, FIELDS, |new: &New<'_>| {
        blank(new.id, new.account_id, "", new.call.now)
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

/// A project with every field dbt lists.
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

/// A project with the objects it points to.
fn render(account: &Account, project: &Doc, call: &Call) -> Value {
    let mut doc = project.clone();
    for (name, kind) in [
        ("connection", Kind::Connections),
        ("repository", Kind::Repositories),
        ("docs_job", Kind::Jobs),
        ("freshness_job", Kind::Jobs),
    ] {
        let target = account.pointed(project, kind, &format!("{name}_id"));
        doc.insert(name.to_owned(), target);
    }
    let environments = account
        .rows(Kind::Environments)
        .filter(|row| row.get("project_id") == project.get("id"));
    let environments = environments.filter(|_| call.related().has("environments"));
    doc.insert(
        "environments".to_owned(),
        environments.map(|row| Value::Object(row.clone())).collect(),
    );
    Value::Object(doc)
}

fn point_to_what_exists(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    for (field, kind) in [
        ("connection_id", Kind::AccountConnections),
        ("repository_id", Kind::Repositories),
    ] {
        account.check_pointer(doc, field, kind)?;
    }
    Ok(())
}
