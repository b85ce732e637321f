//! Environments: project-wise in v3, account-wide in v2. The two versions list different fields of the same thing.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::accounts::as_doc;
use crate::call::Call;
use crate::query::{Listing, select};
use crate::reply::{Answer, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/api/v3/accounts/{account_id}/projects/{project_id}/environments/",
        list_environments_v3,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{id}/",
        get_environment_v3,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/environments/",
        list_environments_of_account_v3,
    ),
    Route::get("/api/v2/accounts/{account_id}/environments/", list_environments_v2),
    Route::get("/api/v2/accounts/{account_id}/environments/{id}/", get_environment_v2),
];

const LISTING: Listing = Listing {
    filters: &[
        "pk",
        "pk__in",
        "id__gt",
        "state",
        "project_id",
        "project_id__in",
        "name",
        "name__icontains",
        "type",
        "deployment_type",
        "deployment_type__in",
        "dbt_version",
        "dbt_version__in",
        "credentials_id",
    ],
    default_state: Some(1),
    default_limit: 100,
};

/// An environment with every field that is stored; each version shows its own.
pub(crate) fn blank(id: i64, account_id: i64, project_id: i64, name: &str, created_at: DateTime<Utc>) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "name": name,
        "connection_id": null,
        "credentials_id": null,
        "repository_id": null,
        "extended_attributes_id": null,
        "custom_branch": null,
        "use_custom_branch": false,
        "dbt_project_subdirectory": null,
        "dbt_version": "latest",
        "raw_dbt_version": "latest",
        "supports_docs": true,
        "deployment_type": null,
        "type": "deployment",
        "created_by_id": null,
        "enable_model_query_history": false,
        "enable_dbt_state": false,
        "primary_profile_id": null,
        "state": 1,
        "created_at": stamp::spaced(created_at),
        "updated_at": stamp::spaced(created_at),
    }))
}

fn pointed(account: &Account, doc: &Doc, kind: Kind, field: &str) -> Value {
    let id = doc.get(field).and_then(Value::as_i64);
    id.and_then(|id| account.get(kind, id))
        .map_or(Value::Null, |doc| Value::Object(doc.clone()))
}

/// As v3 shows it.
pub(crate) fn render_v3(account: &Account, environment: &Doc) -> Value {
    let mut doc = environment.clone();
    for name in ["repository_id", "dbt_project_subdirectory", "created_by_id"] {
        doc.remove(name);
    }
    let deferrable = environment.get("type") == Some(&json!("deployment"));
    doc.insert("is_deferrable".to_owned(), json!(deferrable));
    doc.insert(
        "project".to_owned(),
        pointed(account, environment, Kind::Projects, "project_id"),
    );
    doc.insert(
        "credentials".to_owned(),
        pointed(account, environment, Kind::Credentials, "credentials_id"),
    );
    doc.insert("fusion_readiness".to_owned(), Value::Null);
    Value::Object(doc)
}

/// As v2 shows it.
pub(crate) fn render_v2(account: &Account, environment: &Doc) -> Value {
    let mut doc = environment.clone();
    for name in ["enable_model_query_history", "enable_dbt_state", "primary_profile_id"] {
        doc.remove(name);
    }
    doc.insert(
        "repository".to_owned(),
        pointed(account, environment, Kind::Repositories, "repository_id"),
    );
    doc.insert(
        "connection".to_owned(),
        pointed(account, environment, Kind::Connections, "connection_id"),
    );
    doc.insert("jobs".to_owned(), Value::Null);
    doc.insert("custom_environment_variables".to_owned(), Value::Null);
    Value::Object(doc)
}

fn of_project<'a>(account: &'a Account, call: &Call) -> Result<impl Iterator<Item = &'a Doc>, Refusal> {
    let project = call.id("project_id")?;
    account.find(Kind::Projects, project)?;
    Ok(account
        .rows(Kind::Environments)
        .filter(move |row| row.get("project_id") == Some(&json!(project))))
}

fn list_environments_v3(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let rows = select(
        of_project(account, call)?,
        account.id,
        &call.query,
        &LISTING,
        &call.switches,
    )?;
    Ok(Reply::List(rows.page(|row| render_v3(account, row))))
}

fn list_environments_of_account_v3(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let rows = select(
        account.rows(Kind::Environments),
        account.id,
        &call.query,
        &LISTING,
        &call.switches,
    )?;
    Ok(Reply::List(rows.page(|row| render_v3(account, row))))
}

fn list_environments_v2(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let rows = select(
        account.rows(Kind::Environments),
        account.id,
        &call.query,
        &LISTING,
        &call.switches,
    )?;
    Ok(Reply::List(rows.page(|row| render_v2(account, row))))
}

fn get_environment_v3(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let id = call.id("id")?;
    let row =
        of_project(account, call)?.find(|row| row.get("id") == Some(&json!(id)) && row.get("state") != Some(&json!(2)));
    row.map(|row| Reply::One(render_v3(account, row)))
        .ok_or_else(Refusal::not_found)
}

fn get_environment_v2(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    Ok(Reply::One(render_v2(
        account,
        account.find(Kind::Environments, call.id("id")?)?,
    )))
}
