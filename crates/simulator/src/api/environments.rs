//! Environments: those of a project in v3, those of the account in v2. The two versions show different fields.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fields::{Field, FieldType};
use super::resource::{ALL_VERBS, IN_PROJECT, New, Resource, Verb};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Listing;
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::stamp;
use crate::world::{Account, Kind, World};

const OF_PROJECT_V3: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environments/";
const OF_ACCOUNT_V2: &str = "/api/v2/accounts/{account_id}/environments/";
/// Not in the specification, but clients read it.
const OF_ACCOUNT_V3: &str = "/api/v3/accounts/{account_id}/environments/";

pub(crate) fn routes() -> Vec<Route> {
    let cache = format!("{OF_ACCOUNT_V3}{{environment_id}}/sao-cache/");
    [
        resource_routes(OF_PROJECT_V3, &V3, &ALL_VERBS),
        resource_routes(OF_ACCOUNT_V2, &V2, &ALL_VERBS),
        resource_routes(OF_ACCOUNT_V3, &V3_OF_ACCOUNT, &[Verb::List]),
        vec![Route::delete(&cache, delete_sao_cache)],
    ]
    .concat()
}

const LISTING: Listing = Listing::active(&[
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
]);

static V3: Resource = Resource {
    listing: LISTING,
    parent: Some(IN_PROJECT),
    render: render_v3,
    prepare: check,
    ..Resource::plain(Kind::Environments, FIELDS_V3, defaults)
};

static V3_OF_ACCOUNT: Resource = Resource {
    listing: LISTING,
    render: render_v3,
    ..Resource::plain(Kind::Environments, FIELDS_V3, defaults)
};

static V2: Resource = Resource {
    listing: LISTING,
    render: render_v2,
    prepare: check,
    ..Resource::plain(Kind::Environments, FIELDS_V2, defaults)
};

const KIND: Field = Field::new("type", FieldType::Choice(&["development", "deployment"]));
const DEPLOYMENT: Field = Field::new("deployment_type", FieldType::Choice(&["production", "staging"]));

const FIELDS_V3: &[Field] = &[
    Field::text("name").required(),
    KIND,
    DEPLOYMENT,
    Field::text("dbt_version"),
    Field::int("credentials_id"),
    Field::int("connection_id"),
    Field::int("extended_attributes_id"),
    Field::flag("use_custom_branch"),
    Field::text("custom_branch"),
    Field::flag("supports_docs"),
    Field::flag("enable_model_query_history"),
    Field::flag("enable_dbt_state"),
    Field::int("state"),
    Field::int("primary_profile_id"),
];

const FIELDS_V2: &[Field] = &[
    Field::text("name").required(),
    Field::int("project_id").required(),
    KIND,
    DEPLOYMENT,
    Field::text("dbt_version"),
    Field::int("credentials_id"),
    Field::int("connection_id"),
    Field::int("repository_id"),
    Field::int("extended_attributes_id"),
    Field::flag("use_custom_branch"),
    Field::text("custom_branch"),
    Field::text("dbt_project_subdirectory"),
    Field::flag("supports_docs"),
    Field::int("created_by_id"),
    Field::int("state"),
];

fn defaults(new: &New<'_>) -> Value {
    let mut doc = blank(new.id, new.account_id, new.parent.unwrap_or_default(), "", new.call.now);
    doc.put("created_by_id", new.call.caller.user_id);
    Value::Object(doc)
}

/// An environment with the fields of both versions.
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

fn check(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    account.check_reference(doc, "project_id", Kind::Projects)?;
    account.check_reference(doc, "credentials_id", Kind::Credentials)?;
    account.check_reference(doc, "extended_attributes_id", Kind::ExtendedAttributes)?;
    doc.put("raw_dbt_version", doc.value("dbt_version"));
    Ok(())
}

fn render_v3(account: &Account, environment: &Doc, _: &Call) -> Value {
    let mut doc = environment.clone();
    for name in ["repository_id", "dbt_project_subdirectory", "created_by_id"] {
        doc.remove(name);
    }
    let referenced = |kind: Kind, field: &str| account.referenced(environment, kind, field);
    doc.put("is_deferrable", environment.has("type", "deployment"));
    doc.put("project", referenced(Kind::Projects, "project_id"));
    doc.put("credentials", referenced(Kind::Credentials, "credentials_id"));
    doc.put("fusion_readiness", Value::Null);
    Value::Object(doc)
}

fn render_v2(account: &Account, environment: &Doc, _: &Call) -> Value {
    let mut doc = environment.clone();
    for name in ["enable_model_query_history", "enable_dbt_state", "primary_profile_id"] {
        doc.remove(name);
    }
    let referenced = |kind: Kind, field: &str| account.referenced(environment, kind, field);
    doc.put("repository", referenced(Kind::Repositories, "repository_id"));
    doc.put("connection", referenced(Kind::Connections, "connection_id"));
    doc.put("jobs", Value::Null);
    doc.put("custom_environment_variables", Value::Null);
    Value::Object(doc)
}

fn delete_sao_cache(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    account.find(Kind::Environments, call.id("environment_id")?)?;
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}
