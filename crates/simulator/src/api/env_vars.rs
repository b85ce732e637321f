//! Environment variables: one name, a value for the project, and overrides for environments, jobs and users.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds};
use super::resource::{IN_PROJECT, New, Resource, Verb};
use crate::call::Call;
use crate::reply::{self, Answer, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

const LIST: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/";
const ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/{id}/";
const BULK: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/bulk/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("POST", LIST, Verb::Create, &VARIABLES),
    Route::usual("POST", ONE, Verb::Update, &VARIABLES),
    Route::usual("DELETE", ONE, Verb::Delete, &VARIABLES),
    Route::post(BULK, create_bulk),
    Route::put(BULK, update_bulk),
    Route::delete(BULK, delete_bulk),
    Route::get(
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/environment/",
        by_environment,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/job/",
        by_job,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/user/",
        by_user,
    ),
];

static VARIABLES: Resource = Resource {
    parent: Some(IN_PROJECT),
    prepare: check,
    render: shown,
    ..Resource::plain(
        Kind::EnvironmentVariables,
        &[
            Field::text("name").required(),
            Field::new("type", Holds::Choice(&["project", "environment", "job", "user"])).required(),
            Field::int("user_id"),
            Field::int("environment_id"),
            Field::int("job_definition_id"),
            Field::text("raw_value"),
            Field::text("display_value"),
            Field::int("state"),
        ],
        |new: &New<'_>| blank(new.id, new.account_id, new.parent.unwrap_or_default(), new.call),
    )
};

fn blank(id: i64, account_id: i64, project_id: i64, call: &Call) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "user_id": null,
        "environment_id": null,
        "job_definition_id": null,
        "raw_value": null,
        "display_value": null,
        "state": 1,
        "created_at": stamp::spaced(call.now),
        "updated_at": stamp::spaced(call.now),
    }))
}

fn check(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, call: &Call) -> Result<(), Refusal> {
    let name = doc.get("name").and_then(Value::as_str).unwrap_or_default();
    if !name.starts_with("DBT_") {
        return Err(call.invalid(json!({ "name": "Environment variable keys must be prefixed with 'DBT_'." })));
    }
    for (field, kind) in [
        ("environment_id", Kind::Environments),
        ("job_definition_id", Kind::Jobs),
        ("user_id", Kind::Users),
    ] {
        account.check_pointer(doc, field, kind)?;
    }
    let display = if name.starts_with("DBT_ENV_SECRET") {
        json!("*****")
    } else {
        doc.get("raw_value").cloned().unwrap_or(Value::Null)
    };
    doc.insert("display_value".to_owned(), display);
    Ok(())
}

/// Without the raw value, with the environment it belongs to.
fn shown(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.remove("raw_value");
    shown.insert(
        "environment".to_owned(),
        account.pointed(doc, Kind::Environments, "environment_id"),
    );
    Value::Object(shown)
}

/// The project in the path, checked.
fn project(account: &Account, call: &Call) -> Result<i64, Refusal> {
    let id = call.id("project_id")?;
    account.find(Kind::Projects, id)?;
    Ok(id)
}

fn rows(account: &Account, project_id: i64) -> impl Iterator<Item = &Doc> {
    let of_project =
        move |row: &&Doc| row.get("project_id") == Some(&json!(project_id)) && row.get("state") == Some(&json!(1));
    account.rows(Kind::EnvironmentVariables).filter(of_project)
}

fn text<'a>(doc: &'a Doc, name: &str) -> &'a str {
    doc.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn value_of(doc: &Doc) -> Value {
    json!({ "id": doc.get("id"), "value": doc.get("display_value") })
}

/// Environment names of a project with their ids.
fn environments(account: &Account, project_id: i64) -> Vec<(String, i64)> {
    let of_project = account
        .rows(Kind::Environments)
        .filter(|row| row.get("project_id") == Some(&json!(project_id)));
    of_project
        .filter_map(|row| Some((text(row, "name").to_owned(), row.get("id")?.as_i64()?)))
        .collect()
}

fn by_environment(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let project_id = project(account, call)?;
    let environments = environments(account, project_id);
    let mut variables = Doc::new();
    for row in rows(account, project_id).filter(|row| matches!(text(row, "type"), "project" | "environment")) {
        let id = row.get("environment_id").and_then(Value::as_i64);
        let column = match id {
            None => "project",
            Some(id) => environments
                .iter()
                .find(|(_, other)| *other == id)
                .map_or("", |(name, _)| name),
        };
        let entry = variables.entry(text(row, "name")).or_insert_with(|| json!({}));
        if let Value::Object(entry) = entry {
            entry.insert(column.to_owned(), value_of(row));
        }
    }
    let mut names = vec!["project".to_owned()];
    names.extend(environments.into_iter().map(|(name, _)| name));
    Ok(reply::error_code_envelope(
        json!({ "environments": names, "variables": variables }),
    ))
}

/// For each name the project's value and the override of one job or user.
fn scoped(account: &Account, call: &Call, scope: &str, field: &str, wanted: Option<i64>) -> Answer {
    let project_id = project(account, call)?;
    let mut variables = Doc::new();
    for row in rows(account, project_id) {
        let kind = text(row, "type");
        let fits = kind == "project" || (kind == scope && row.get(field).and_then(Value::as_i64) == wanted);
        if fits {
            let entry = variables.entry(text(row, "name")).or_insert_with(|| json!({}));
            if let Value::Object(entry) = entry {
                entry.insert(kind.to_owned(), value_of(row));
            }
        }
    }
    Ok(reply::error_code_envelope(Value::Object(variables)))
}

fn by_job(world: &mut World, call: &Call) -> Answer {
    let wanted = call.query.int("job_definition_id")?;
    scoped(world.account(call)?, call, "job", "job_definition_id", wanted)
}

fn by_user(world: &mut World, call: &Call) -> Answer {
    let wanted = call.query.int("user_id")?.or(call.caller.user_id);
    scoped(world.account(call)?, call, "user", "user_id", wanted)
}

/// Stores one value of a variable: the project's, or that of an environment.
fn put_value(
    account: &mut Account,
    project_id: i64,
    name: &str,
    environment: Option<i64>,
    value: &Value,
    call: &Call,
) -> Result<i64, Refusal> {
    let id = account.ids.next();
    let mut doc = blank(id, account.id, project_id, call);
    doc.insert("name".to_owned(), json!(name));
    doc.insert(
        "type".to_owned(),
        json!(if environment.is_some() {
            "environment"
        } else {
            "project"
        }),
    );
    doc.insert("environment_id".to_owned(), json!(environment));
    doc.insert("raw_value".to_owned(), value.clone());
    check(account, &mut doc, None, call)?;
    account.audit(Kind::EnvironmentVariables, "added", &doc, call);
    account.put(Kind::EnvironmentVariables, doc);
    Ok(id)
}

/// A body names environments as its keys; the specification wants a list of such objects, one client sends one object.
fn create_bulk(world: &mut World, call: &Call) -> Answer {
    let body = call.object()?;
    let account = world.account(call)?;
    let project_id = project(account, call)?;
    let asked: Vec<Doc> = match body.get("env_var") {
        Some(Value::Object(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_object).cloned().collect(),
        _ => return Err(call.invalid(json!({ "env_var": "This field is required." }))),
    };
    let known = environments(account, project_id);
    let mut made = Vec::new();
    let mut failed = Vec::new();
    for variable in &asked {
        let name = text(variable, "new_name");
        let mut refuse = |key: &str, reason: &str| {
            failed.push(json!({ "status": "failure", "status_code": 400, "key_name": key, "reason": reason }));
        };
        if !name.starts_with("DBT_") {
            refuse(name, "Environment variable keys must be prefixed with 'DBT_'.");
            continue;
        }
        let mut ids = Vec::new();
        for (key, value) in variable.iter().filter(|(key, _)| *key != "new_name") {
            let environment = known.iter().find(|(name, _)| name == key).map(|(_, id)| *id);
            if key == "project" || environment.is_some() {
                ids.push(put_value(account, project_id, name, environment, value, call)?);
            } else {
                refuse(key, "No environment of that name.");
            }
        }
        made.push(json!({
            "status": "success",
            "status_code": 200,
            "key_name": name,
            "data": { "message": "Environment variables created", "new_var_ids": ids, "failures": [] },
        }));
    }
    if failed.is_empty() {
        return Ok(Reply::One(Value::Array(made)));
    }
    Err(call.invalid(Value::Array(failed)))
}

/// Keys are ids of values to change, or names of environments to add one for; an empty value deletes.
fn update_bulk(world: &mut World, call: &Call) -> Answer {
    let body = call.object()?;
    let account = world.account(call)?;
    let project_id = project(account, call)?;
    let Some(Value::Object(changes)) = body.get("env_var").or(body.get("env_vars")) else {
        return Err(call.invalid(json!({ "reason": "env_vars is required." })));
    };
    let name = text(changes, "name").to_owned();
    let ids: Vec<i64> = rows(account, project_id)
        .filter(|row| text(row, "name") == name)
        .filter_map(|row| row.get("id")?.as_i64())
        .collect();
    if ids.is_empty() {
        return Err(call.invalid(json!({ "reason": format!("There is no environment variable {name}.") })));
    }
    let known = environments(account, project_id);
    let (mut new_ids, mut deleted) = (Vec::new(), Vec::new());
    for (key, value) in changes
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "name" | "new_name"))
    {
        let empty = value.is_null() || value.as_str() == Some("");
        let id = key.parse::<i64>().ok().filter(|id| ids.contains(id));
        match (id, empty) {
            (Some(id), true) => {
                account.remove(Kind::EnvironmentVariables, id);
                deleted.push(id);
            }
            (Some(id), false) => {
                let doc = account.find_mut(Kind::EnvironmentVariables, id)?;
                doc.insert("raw_value".to_owned(), value.clone());
                doc.insert("display_value".to_owned(), value.clone());
                doc.insert("updated_at".to_owned(), json!(stamp::spaced(call.now)));
            }
            (None, true) => {}
            (None, false) => {
                let environment = known.iter().find(|(name, _)| name == key).map(|(_, id)| *id);
                new_ids.push(put_value(account, project_id, &name, environment, value, call)?);
            }
        }
    }
    if let Some(new_name) = changes.get("new_name").and_then(Value::as_str) {
        for id in ids.iter().filter(|id| !deleted.contains(id)) {
            account
                .find_mut(Kind::EnvironmentVariables, *id)?
                .insert("name".to_owned(), json!(new_name));
        }
    }
    let message = "Environment variables updated";
    Ok(Reply::One(
        json!({ "message": message, "new_var_ids": new_ids, "deleted_var_ids": deleted, "failures": [] }),
    ))
}

/// `{"env_var": {"name": "DBT_X"}}` deletes every value of that name.
fn delete_bulk(world: &mut World, call: &Call) -> Answer {
    let body = call.object()?;
    let account = world.account(call)?;
    let project_id = project(account, call)?;
    let name = body
        .get("env_var")
        .and_then(|variable| variable.get("name"))
        .or(body.get("name"))
        .and_then(Value::as_str);
    let name = name.ok_or_else(|| call.invalid(json!({ "env_var": "This field is required." })))?;
    let ids: Vec<i64> = rows(account, project_id)
        .filter(|row| text(row, "name") == name)
        .filter_map(|row| row.get("id")?.as_i64())
        .collect();
    for id in ids {
        account.remove(Kind::EnvironmentVariables, id);
    }
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}
