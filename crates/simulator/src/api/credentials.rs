//! Credentials of environments and of users, adapters, profiles, extended attributes, and the Semantic Layer's
//! credentials.

use serde_json::{Value, json};

use super::fields::{Field, FieldType};
use super::resource::{ALL_VERBS, IN_PROJECT, Resource, Shape, Verb};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::listing::Listing;
use crate::stamp;
use crate::world::{Account, Kind};

const CREDENTIALS_OF_PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/";
const ADAPTERS_OF_PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/adapters/";
const PROFILES_OF_PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/profiles/";
const ATTRIBUTES_OF_PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/extended-attributes/";
const SEMANTIC_LAYER: &str = "/api/v3/accounts/{account_id}/semantic-layer-credentials/";

pub(crate) fn routes() -> Vec<Route> {
    use Verb::{Create, Delete, Get, List, Update};
    let patched = [List, Create, Get, Update("PATCH"), Delete];
    [
        resource_routes(CREDENTIALS_OF_PROJECT, &CREDENTIALS, &ALL_VERBS),
        resource_routes(CREDENTIALS_OF_PROJECT, &CREDENTIALS, &[Update("PATCH")]),
        // Neither of these two has a list.
        resource_routes(ADAPTERS_OF_PROJECT, &ADAPTERS, &ALL_VERBS[1..]),
        resource_routes(ATTRIBUTES_OF_PROJECT, &EXTENDED_ATTRIBUTES, &patched[1..]),
        resource_routes(PROFILES_OF_PROJECT, &PROFILES, &patched),
        resource_routes(SEMANTIC_LAYER, &SEMANTIC_LAYER_CREDENTIALS, &[List]),
    ]
    .concat()
}

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
            Field::new("credential_details", FieldType::Object),
            Field::int("state"),
        ],
        |_| {
            json!({
                "threads": 4,
                "username": "",
                "default_schema": "",
                "target_name": "default",
                "adapter_version": "postgres_v0",
            })
        },
    )
};

fn without_password(_: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.remove("password");
    Value::Object(shown)
}

static ADAPTERS: Resource = Resource {
    parent: Some(IN_PROJECT),
    ..Resource::plain(
        Kind::Adapters,
        &[
            Field::text("adapter_version").required(),
            Field::new("metadata_json", FieldType::Anything),
            Field::int("state"),
        ],
        |new| {
            json!({
                "created_by_id": new.call.caller.user_id,
                "created_by_service_token_id": new.call.caller.service_token_id,
                "metadata_json": {},
            })
        },
    )
};

static PROFILES: Resource = Resource {
    shape: Shape::ErrorCode,
    parent: Some(IN_PROJECT),
    has_state: false,
    time: stamp::zulu,
    listing: Listing::all(&["key", "connection_id"]),
    render: profile,
    ..Resource::plain(
        Kind::Profiles,
        &[
            Field::text("key").required(),
            Field::int("connection_id").required(),
            Field::int("credentials_id").required(),
            Field::int("extended_attributes_id"),
        ],
        |_| json!({ "extended_attributes_id": null }),
    )
};

/// A profile with the environments that use it.
fn profile(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    let environments = account.rows(Kind::Environments);
    let bound = environments.filter(|row| row.has("primary_profile_id", doc.value("id")));
    let bindings = bound.map(|row| {
        json!({
            "id": row.get("id"),
            "name": row.get("name"),
            "type": row.get("type"),
            "deployment_type": row.get("deployment_type"),
        })
    });
    shown.put("primary_bindings", bindings.collect::<Value>());
    shown.put("catalog_bindings", json!([]));
    Value::Object(shown)
}

static EXTENDED_ATTRIBUTES: Resource = Resource {
    shape: Shape::ErrorCode,
    parent: Some(IN_PROJECT),
    time: stamp::zulu,
    ..Resource::plain(
        Kind::ExtendedAttributes,
        &[
            Field::new("extended_attributes", FieldType::Object).required(),
            Field::int("state"),
        ],
        |_| json!({ "extended_attributes": {} }),
    )
};

static SEMANTIC_LAYER_CREDENTIALS: Resource = Resource {
    listing: Listing::active(&["pk", "project_id", "state"]),
    ..Resource::plain(Kind::SemanticLayerCredentials, &[], |_| json!({}))
};
