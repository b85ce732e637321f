//! Projects, in v3 and its deprecated v2 twin.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::accounts::as_doc;
use crate::call::Call;
use crate::query::{Listing, Related, select};
use crate::reply::{Answer, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/v3/accounts/{account_id}/projects/", list_projects),
    Route::get("/api/v2/accounts/{account_id}/projects/", list_projects),
    Route::get("/api/v3/accounts/{account_id}/projects/{id}/", get_project),
    Route::get("/api/v2/accounts/{account_id}/projects/{id}/", get_project),
];

const LISTING: Listing = Listing {
    filters: &["pk", "pk__in", "pk__gt", "name__icontains", "state"],
    default_state: Some(1),
    default_limit: 100,
};

const RELATED: [&str; 5] = ["connection", "environments", "repository", "docs_job", "freshness_job"];

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
pub(crate) fn render(account: &Account, project: &Doc, related: &Related) -> Value {
    let mut doc = project.clone();
    let pointed = |kind: Kind, field: &str| {
        let id = project.get(field).and_then(Value::as_i64);
        id.and_then(|id| account.get(kind, id))
            .map_or(Value::Null, |doc| Value::Object(doc.clone()))
    };
    doc.insert("connection".to_owned(), pointed(Kind::Connections, "connection_id"));
    doc.insert("repository".to_owned(), pointed(Kind::Repositories, "repository_id"));
    doc.insert("docs_job".to_owned(), pointed(Kind::Jobs, "docs_job_id"));
    doc.insert("freshness_job".to_owned(), pointed(Kind::Jobs, "freshness_job_id"));
    let environments = account
        .rows(Kind::Environments)
        .filter(|row| row.get("project_id") == project.get("id"));
    let environments = if related.has("environments") {
        environments.map(|row| Value::Object(row.clone())).collect()
    } else {
        json!([])
    };
    doc.insert("environments".to_owned(), environments);
    Value::Object(doc)
}

fn list_projects(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let rows = select(
        account.rows(Kind::Projects),
        account.id,
        &call.query,
        &LISTING,
        &call.switches,
    )?;
    Ok(Reply::List(rows.page(|row| render(account, row, &related))))
}

fn get_project(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let related = call.query.related(&RELATED, &call.switches)?;
    let project = account.find(Kind::Projects, call.id("id")?)?;
    Ok(Reply::One(render(account, project, &related)))
}
