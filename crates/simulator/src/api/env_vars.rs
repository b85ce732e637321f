//! Environment variables: a default value for the project, and values for environments, jobs and users.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fields::{Field, FieldType};
use super::resource::{IN_PROJECT, Resource, Verb};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::refusal::Refusal;
use crate::reply::{self, Answer, Reply};
use crate::stamp;
use crate::world::{Account, Kind, World};

const OF_PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/";
/// What is shown instead of a secret value.
const MASK: &str = "**********";

pub(crate) fn routes() -> Vec<Route> {
    let below = |path: &str| format!("{OF_PROJECT}{path}");
    let own = vec![
        Route::post(&below("bulk/"), create_bulk),
        Route::put(&below("bulk/"), update_bulk),
        Route::delete(&below("bulk/"), delete_bulk),
        Route::get(&below("environment/"), by_environment),
        Route::get(&below("job/"), by_job),
        Route::get(&below("user/"), by_user),
    ];
    let verbs = [Verb::Create, Verb::Update("POST"), Verb::Delete];
    [resource_routes(OF_PROJECT, &VARIABLES, &verbs), own].concat()
}

static VARIABLES: Resource = Resource {
    parent: Some(IN_PROJECT),
    prepare: check,
    render: shown,
    ..Resource::plain(
        Kind::EnvironmentVariables,
        &[
            Field::text("name").required(),
            Field::new("type", FieldType::Choice(&["project", "environment", "job", "user"])).required(),
            Field::int("user_id"),
            Field::int("environment_id"),
            Field::int("job_definition_id"),
            Field::text("raw_value"),
            Field::text("display_value"),
            Field::int("state"),
        ],
        |new| {
            let project_id = new.parent.unwrap_or_default();
            Value::Object(value(
                new.id,
                new.account_id,
                project_id,
                "",
                None,
                Value::Null,
                new.call.now,
            ))
        },
    )
};

/// One value of a variable: the project's default or that of an environment.
pub(crate) fn value(
    id: i64,
    account_id: i64,
    project_id: i64,
    name: &str,
    environment_id: Option<i64>,
    raw_value: impl Into<Value>,
    at: DateTime<Utc>,
) -> Doc {
    let mut doc = as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "name": name,
        "type": if environment_id.is_some() { "environment" } else { "project" },
        "user_id": null,
        "environment_id": environment_id,
        "job_definition_id": null,
        "raw_value": raw_value.into(),
        "state": 1,
        "created_at": stamp::spaced(at),
        "updated_at": stamp::spaced(at),
    }));
    put_display_value(&mut doc);
    doc
}

/// `display_value` is the value, or the mask of a secret one.
fn put_display_value(doc: &mut Doc) {
    let secret = doc.text("name").starts_with("DBT_ENV_SECRET");
    let display = if secret { json!(MASK) } else { doc.value("raw_value") };
    doc.put("display_value", display);
}

fn check(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, call: &Call) -> Result<(), Refusal> {
    if !doc.text("name").starts_with("DBT_") {
        return Err(call.invalid(json!({ "name": PREFIX })));
    }
    account.check_reference(doc, "environment_id", Kind::Environments)?;
    account.check_reference(doc, "job_definition_id", Kind::Jobs)?;
    account.check_reference(doc, "user_id", Kind::Users)?;
    put_display_value(doc);
    Ok(())
}

const PREFIX: &str = "Environment variable keys must be prefixed with 'DBT_'.";

/// Without the raw value, with the environment.
fn shown(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.remove("raw_value");
    let environment = account.referenced(doc, Kind::Environments, "environment_id");
    shown.put("environment", environment);
    Value::Object(shown)
}

/// The project in the path, checked.
fn project(account: &Account, call: &Call) -> Result<i64, Refusal> {
    let id = call.id("project_id")?;
    account.find(Kind::Projects, id)?;
    Ok(id)
}

fn rows(account: &Account, project_id: i64) -> impl Iterator<Item = &Doc> {
    let rows = account.rows(Kind::EnvironmentVariables);
    rows.filter(move |row| row.has("project_id", project_id) && row.has("state", 1))
}

fn ids(account: &Account, project_id: i64, name: &str) -> Vec<i64> {
    let named = rows(account, project_id).filter(|row| row.text("name") == name);
    named.filter_map(|row| row.int("id")).collect()
}

/// Adds the value of a row to its variable: name -> scope -> id and value.
fn add(variables: &mut Doc, row: &Doc, scope: &str) {
    let entry = variables.entry(row.text("name")).or_insert_with(|| json!({}));
    entry[scope] = json!({ "id": row.get("id"), "value": row.get("display_value") });
}

fn environments(account: &Account, project_id: i64) -> Vec<(String, i64)> {
    let rows = account
        .rows(Kind::Environments)
        .filter(|row| row.has("project_id", project_id));
    rows.filter_map(|row| Some((row.text("name").to_owned(), row.int("id")?)))
        .collect()
}

fn by_environment(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let project_id = project(account, call)?;
    let environments = environments(account, project_id);
    let mut variables = Doc::new();
    for row in rows(account, project_id) {
        let id = row.int("environment_id");
        match (
            row.text("type"),
            environments.iter().find(|(_, other)| Some(*other) == id),
        ) {
            ("environment", Some((name, _))) => add(&mut variables, row, name),
            ("project", _) => add(&mut variables, row, "project"),
            _ => {}
        }
    }
    let names = environments.into_iter().map(|(name, _)| name);
    let names: Vec<String> = std::iter::once("project".to_owned()).chain(names).collect();
    Ok(reply::error_code_envelope(
        json!({ "environments": names, "variables": variables }),
    ))
}

/// For each name the project's value and the one of a job or user.
fn scoped(account: &Account, call: &Call, scope: &str, field: &str, id: Option<i64>) -> Answer {
    let project_id = project(account, call)?;
    let mut variables = Doc::new();
    for row in rows(account, project_id) {
        let kind = row.text("type");
        if kind == "project" || (kind == scope && row.int(field) == id) {
            add(&mut variables, row, kind);
        }
    }
    Ok(reply::error_code_envelope(Value::Object(variables)))
}

fn by_job(world: &mut World, call: &Call) -> Answer {
    let id = call.query.int("job_definition_id")?;
    scoped(world.account(call)?, call, "job", "job_definition_id", id)
}

fn by_user(world: &mut World, call: &Call) -> Answer {
    let id = call.query.int("user_id")?.or(call.caller.user_id);
    scoped(world.account(call)?, call, "user", "user_id", id)
}

fn put_value(
    account: &mut Account,
    project_id: i64,
    name: &str,
    environment: Option<i64>,
    raw_value: &Value,
    call: &Call,
) -> Result<i64, Refusal> {
    let id = account.ids.next();
    let mut doc = value(
        id,
        account.id,
        project_id,
        name,
        environment,
        raw_value.clone(),
        call.now,
    );
    check(account, &mut doc, None, call)?;
    account.audit(Kind::EnvironmentVariables, "added", &doc, call);
    account.put(Kind::EnvironmentVariables, doc);
    Ok(id)
}

/// Keys are names of environments. The specification has a list of such objects; one client sends a single object.
fn create_bulk(world: &mut World, call: &Call) -> Answer {
    let body = call.object()?;
    let account = world.account(call)?;
    let project_id = project(account, call)?;
    let requested: Vec<Doc> = match body.get("env_var") {
        Some(Value::Object(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_object).cloned().collect(),
        _ => return Err(call.invalid(json!({ "env_var": "This field is required." }))),
    };
    let known = environments(account, project_id);
    let mut created = Vec::new();
    let mut failed = Vec::new();
    for variable in &requested {
        let name = variable.text("new_name");
        let mut refuse = |key: &str, reason: &str| {
            failed.push(json!({ "status": "failure", "status_code": 400, "key_name": key, "reason": reason }));
        };
        if !name.starts_with("DBT_") {
            refuse(name, PREFIX);
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
        created.push(json!({
            "status": "success",
            "status_code": 200,
            "key_name": name,
            "data": { "message": "Environment variables created", "new_var_ids": ids, "failures": [] },
        }));
    }
    if failed.is_empty() {
        return Ok(Reply::One(Value::Array(created)));
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
    let name = changes.text("name");
    let ids = ids(account, project_id, name);
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
                doc.put("raw_value", value.clone());
                doc.put("updated_at", stamp::spaced(call.now));
                put_display_value(doc);
            }
            (None, true) => {}
            (None, false) => {
                let environment = known.iter().find(|(name, _)| name == key).map(|(_, id)| *id);
                new_ids.push(put_value(account, project_id, name, environment, value, call)?);
            }
        }
    }
    if let Some(new_name) = changes.get("new_name").and_then(Value::as_str) {
        for id in ids.iter().filter(|id| !deleted.contains(id)) {
            let doc = account.find_mut(Kind::EnvironmentVariables, *id)?;
            doc.put("name", new_name);
            put_display_value(doc);
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
    for id in ids(account, project_id, name) {
        account.remove(Kind::EnvironmentVariables, id);
    }
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}
