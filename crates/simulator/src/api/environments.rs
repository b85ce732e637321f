//! Environments: project-wise in v3, account-wide in v2. The two versions list different fields of the same thing.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds};
use super::resource::{IN_PROJECT, New, Resource, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::reply::{Answer, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

const LIST_V3: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environments/";
const ONE_V3: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{id}/";
const LIST_V2: &str = "/api/v2/accounts/{account_id}/environments/";
const ONE_V2: &str = "/api/v2/accounts/{account_id}/environments/{id}/";
const ACCOUNT_WIDE_V3: &str = "/api/v3/accounts/{account_id}/environments/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST_V3, Verb::List, &V3),
    Route::usual("POST", LIST_V3, Verb::Create, &V3),
    Route::usual("GET", ONE_V3, Verb::Get, &V3),
    Route::usual("POST", ONE_V3, Verb::Update, &V3),
    Route::usual("DELETE", ONE_V3, Verb::Delete, &V3),
    Route::usual("GET", LIST_V2, Verb::List, &V2),
    Route::usual("POST", LIST_V2, Verb::Create, &V2),
    Route::usual("GET", ONE_V2, Verb::Get, &V2),
    Route::usual("POST", ONE_V2, Verb::Update, &V2),
    Route::usual("DELETE", ONE_V2, Verb::Delete, &V2),
    // Not in the specification, but clients read it.
    Route::usual("GET", ACCOUNT_WIDE_V3, Verb::List, &V3_ACCOUNT_WIDE),
    Route::delete(
        "/api/v3/accounts/{account_id}/environments/{environment_id}/sao-cache/",
        delete_sao_cache,
    ),
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

static V3: Resource = Resource {
    listing: LISTING,
    parent: Some(IN_PROJECT),
    render: render_v3,
    prepare: check,
    ..Resource::plain(Kind::Environments, FIELDS_V3, fresh)
};

static V3_ACCOUNT_WIDE: Resource = Resource {
    listing: LISTING,
    render: render_v3,
    ..Resource::plain(Kind::Environments, FIELDS_V3, fresh)
};

static V2: Resource = Resource {
    listing: LISTING,
    render: render_v2,
    prepare: check,
    ..Resource::plain(Kind::Environments, FIELDS_V2, fresh)
};

const KIND: Field = Field::new("type", Holds::Choice(&["development", "deployment"]));
const DEPLOYMENT: Field = Field::new("deployment_type", Holds::Choice(&["production", "staging"]));

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

fn fresh(new: &New<'_>) -> Doc {
    let mut doc = blank(new.id, new.account_id, new.parent.unwrap_or_default(), "", new.call.now);
    doc.insert("created_by_id".to_owned(), json!(new.call.caller.user_id));
    doc
}

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

fn check(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    account.check_pointer(doc, "project_id", Kind::Projects)?;
    account.check_pointer(doc, "credentials_id", Kind::Credentials)?;
    account.check_pointer(doc, "extended_attributes_id", Kind::ExtendedAttributes)?;
    let version = doc.get("dbt_version").cloned().unwrap_or(Value::Null);
    doc.insert("raw_dbt_version".to_owned(), version);
    Ok(())
}

/// As v3 shows it.
fn render_v3(account: &Account, environment: &Doc, _: &Call) -> Value {
    let mut doc = environment.clone();
    for name in ["repository_id", "dbt_project_subdirectory", "created_by_id"] {
        doc.remove(name);
    }
    let deferrable = environment.get("type") == Some(&json!("deployment"));
    doc.insert("is_deferrable".to_owned(), json!(deferrable));
    doc.insert(
        "project".to_owned(),
        account.pointed(environment, Kind::Projects, "project_id"),
    );
    doc.insert(
        "credentials".to_owned(),
        account.pointed(environment, Kind::Credentials, "credentials_id"),
    );
    doc.insert("fusion_readiness".to_owned(), Value::Null);
    Value::Object(doc)
}

/// As v2 shows it.
fn render_v2(account: &Account, environment: &Doc, _: &Call) -> Value {
    let mut doc = environment.clone();
    for name in ["enable_model_query_history", "enable_dbt_state", "primary_profile_id"] {
        doc.remove(name);
    }
    doc.insert(
        "repository".to_owned(),
        account.pointed(environment, Kind::Repositories, "repository_id"),
    );
    doc.insert(
        "connection".to_owned(),
        account.pointed(environment, Kind::Connections, "connection_id"),
    );
    doc.insert("jobs".to_owned(), Value::Null);
    doc.insert("custom_environment_variables".to_owned(), Value::Null);
    Value::Object(doc)
}

fn delete_sao_cache(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    account.find(Kind::Environments, call.id("environment_id")?)?;
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}
