//! Credentials of environments and of users, adapters, profiles, extended attributes, and the Semantic Layer's
//! credentials.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds};
use super::resource::{IN_PROJECT, New, Resource, Shape, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind};

const LIST: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/";
const ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{id}/";
const ADAPTERS: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/adapters/";
const ADAPTER: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/adapters/{id}/";
const PROFILES: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/profiles/";
const PROFILE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/profiles/{id}/";
const ATTRIBUTES: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/extended-attributes/";
const ATTRIBUTE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/extended-attributes/{id}/";
const SEMANTIC: &str = "/api/v3/accounts/{account_id}/semantic-layer-credentials/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST, Verb::List, &CREDENTIALS),
    Route::usual("POST", LIST, Verb::Create, &CREDENTIALS),
    Route::usual("GET", ONE, Verb::Get, &CREDENTIALS),
    Route::usual("POST", ONE, Verb::Update, &CREDENTIALS),
    Route::usual("PATCH", ONE, Verb::Update, &CREDENTIALS),
    Route::usual("DELETE", ONE, Verb::Delete, &CREDENTIALS),
    Route::usual("POST", ADAPTERS, Verb::Create, &ADAPTER_OBJECTS),
    Route::usual("GET", ADAPTER, Verb::Get, &ADAPTER_OBJECTS),
    Route::usual("POST", ADAPTER, Verb::Update, &ADAPTER_OBJECTS),
    Route::usual("DELETE", ADAPTER, Verb::Delete, &ADAPTER_OBJECTS),
    Route::usual("GET", PROFILES, Verb::List, &PROFILE_OBJECTS),
    Route::usual("POST", PROFILES, Verb::Create, &PROFILE_OBJECTS),
    Route::usual("GET", PROFILE, Verb::Get, &PROFILE_OBJECTS),
    Route::usual("PATCH", PROFILE, Verb::Update, &PROFILE_OBJECTS),
    Route::usual("DELETE", PROFILE, Verb::Delete, &PROFILE_OBJECTS),
    Route::usual("POST", ATTRIBUTES, Verb::Create, &ATTRIBUTE_OBJECTS),
    Route::usual("GET", ATTRIBUTE, Verb::Get, &ATTRIBUTE_OBJECTS),
    Route::usual("PATCH", ATTRIBUTE, Verb::Update, &ATTRIBUTE_OBJECTS),
    Route::usual("DELETE", ATTRIBUTE, Verb::Delete, &ATTRIBUTE_OBJECTS),
    Route::usual("GET", SEMANTIC, Verb::List, &SEMANTIC_CREDENTIALS),
];

static CREDENTIALS: Resource = Resource {
    parent: Some(IN_PROJECT),
    render: without_password,
    ..Resource::plain(
        Kind::Credentials,
        &[
            Field::text("type").required(),
            Field::int("threads"),
            Field::text("username"),
            Field::text("password"),
            Field::text("default_schema"),
            Field::text("schema"),
            Field::text("target_name"),
            Field::text("auth_type"),
            Field::text("user"),
            Field::text("role"),
            Field::text("database"),
            Field::text("warehouse"),
            Field::int("adapter_id"),
            Field::text("adapter_version"),
            Field::new("credential_details", Holds::Object),
            Field::int("state"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "project_id": new.parent,
                "threads": 4,
                "username": "",
                "default_schema": "",
                "target_name": "default",
                "adapter_version": "postgres_v0",
                "state": 1,
            }))
        },
    )
};

fn without_password(_: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.remove("password");
    Value::Object(shown)
}

static ADAPTER_OBJECTS: Resource = Resource {
    parent: Some(IN_PROJECT),
    ..Resource::plain(
        Kind::Adapters,
        &[
            Field::text("adapter_version").required(),
            Field::new("metadata_json", Holds::Anything),
            Field::int("state"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "project_id": new.parent,
                "created_by_id": new.call.caller.user_id,
                "created_by_service_token_id": new.call.caller.service_token_id,
                "metadata_json": {},
                "state": 1,
            }))
        },
    )
};

static PROFILE_OBJECTS: Resource = Resource {
    shape: Shape::ErrorCode,
    parent: Some(IN_PROJECT),
    has_state: false,
    time: stamp::zulu,
    listing: Listing {
        filters: &["key", "connection_id"],
        default_state: None,
        default_limit: 100,
    },
    render: profile,
    ..Resource::plain(
        Kind::Profiles,
        &[
            Field::text("key").required(),
            Field::int("connection_id").required(),
            Field::int("credentials_id").required(),
            Field::int("extended_attributes_id"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "project_id": new.parent,
                "extended_attributes_id": null,
            }))
        },
    )
};

/// With the environments that use it.
fn profile(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    let id = doc.get("id");
    let bound = account
        .rows(Kind::Environments)
        .filter(|row| row.get("primary_profile_id") == id);
    let bindings: Vec<Value> = bound
        .map(|row| {
            json!({
                "id": row.get("id"),
                "name": row.get("name"),
                "type": row.get("type"),
                "deployment_type": row.get("deployment_type"),
            })
        })
        .collect();
    shown.insert("primary_bindings".to_owned(), json!(bindings));
    shown.insert("catalog_bindings".to_owned(), json!([]));
    Value::Object(shown)
}

static ATTRIBUTE_OBJECTS: Resource = Resource {
    shape: Shape::ErrorCode,
    parent: Some(IN_PROJECT),
    time: stamp::zulu,
    ..Resource::plain(
        Kind::ExtendedAttributes,
        &[
            Field::new("extended_attributes", Holds::Object).required(),
            Field::int("state"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "project_id": new.parent,
                "extended_attributes": {},
                "state": 1,
            }))
        },
    )
};

static SEMANTIC_CREDENTIALS: Resource = Resource {
    listing: Listing {
        filters: &["pk", "project_id", "state"],
        default_state: Some(1),
        default_limit: 100,
    },
    ..Resource::plain(Kind::SemanticLayerCredentials, &[], |_: &New<'_>| Doc::new())
};
