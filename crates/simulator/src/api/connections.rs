//! Connections to the warehouse: the account's (v3, current), a project's (v3, deprecated), and the SSH tunnels of v2.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds};
use super::resource::{IN_PROJECT, New, Resource, Shape, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind};

const LIST: &str = "/api/v3/accounts/{account_id}/connections/";
const ONE: &str = "/api/v3/accounts/{account_id}/connections/{id}/";
const OLD_LIST: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/connections/";
const OLD_ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/connections/{id}/";
const TUNNELS: &str = "/api/v2/accounts/{account_id}/encryptions/";
const TUNNEL: &str = "/api/v2/accounts/{account_id}/encryptions/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST, Verb::List, &LISTED),
    Route::usual("POST", LIST, Verb::Create, &CONNECTIONS),
    Route::usual("GET", ONE, Verb::Get, &CONNECTIONS),
    Route::usual("PATCH", ONE, Verb::Update, &CONNECTIONS),
    Route::usual("DELETE", ONE, Verb::Delete, &CONNECTIONS),
    Route::usual("GET", OLD_LIST, Verb::List, &OF_PROJECT),
    Route::usual("POST", OLD_LIST, Verb::Create, &OF_PROJECT),
    Route::usual("GET", OLD_ONE, Verb::Get, &OF_PROJECT),
    Route::usual("POST", OLD_ONE, Verb::Update, &OF_PROJECT),
    Route::usual("DELETE", OLD_ONE, Verb::Delete, &OF_PROJECT),
    Route::usual("GET", TUNNELS, Verb::List, &ENCRYPTIONS),
    Route::usual("POST", TUNNELS, Verb::Create, &ENCRYPTIONS),
    Route::usual("GET", TUNNEL, Verb::Get, &ENCRYPTIONS),
    Route::usual("POST", TUNNEL, Verb::Update, &ENCRYPTIONS),
    Route::usual("DELETE", TUNNEL, Verb::Delete, &ENCRYPTIONS),
];

const LISTING: Listing = Listing {
    filters: &["name__icontains", "adapter_version"],
    default_state: None,
    default_limit: 100,
};

static CONNECTIONS: Resource = Resource {
    shape: Shape::ErrorCode,
    listing: LISTING,
    time: stamp::zulu,
    has_state: false,
    render: detail,
    ..Resource::plain(Kind::AccountConnections, FIELDS, blank)
};

/// The list shows other fields than the single connection.
static LISTED: Resource = Resource {
    render: listed,
    ..CONNECTIONS_FOR_LIST
};

const CONNECTIONS_FOR_LIST: Resource = Resource {
    shape: Shape::ErrorCode,
    listing: LISTING,
    time: stamp::zulu,
    has_state: false,
    ..Resource::plain(Kind::AccountConnections, FIELDS, blank)
};

const FIELDS: &[Field] = &[
    Field::text("name").required(),
    Field::text("adapter_version").required(),
    Field::text("private_link_endpoint_id"),
    Field::flag("is_ssh_tunnel_enabled"),
    Field::int("oauth_configuration_id"),
    Field::new("config", Holds::Object).required(),
];

fn blank(new: &New<'_>) -> Doc {
    account_connection(new.id, new.account_id, &stamp::zulu(new.call.now))
}

/// A connection of an account, to be filled in.
pub(crate) fn account_connection(id: i64, account_id: i64, at: &str) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "name": "Warehouse",
        "adapter_version": "postgres_v0",
        "private_link_endpoint_id": null,
        "is_ssh_tunnel_enabled": false,
        "oauth_configuration_id": null,
        "oauth_redirect_uri": null,
        "is_configured_for_native_oauth": false,
        "platform_metadata_credentials_id": null,
        "analytics_credentials_id": null,
        "config": { "hostname": "warehouse.acme.example", "dbname": "analytics", "port": 5432, "retries": 1 },
        "created_at": at,
        "updated_at": at,
    }))
}

fn detail(_: &Account, doc: &Doc, _: &Call) -> Value {
    Value::Object(without_secrets(doc))
}

fn listed(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = without_secrets(doc);
    shown.remove("oauth_redirect_uri");
    shown.remove("is_configured_for_native_oauth");
    let id = doc.get("id");
    let used = account
        .rows(Kind::Environments)
        .filter(|row| row.get("connection_id") == id)
        .count();
    shown.insert("environment__count".to_owned(), json!(used));
    Value::Object(shown)
}

/// Secrets are written, never read back.
fn without_secrets(doc: &Doc) -> Doc {
    let mut shown = doc.clone();
    if let Some(Value::Object(config)) = shown.get_mut("config") {
        config.retain(|name, _| !name.contains("secret") && !name.contains("password") && name != "private_key");
    }
    shown
}

static OF_PROJECT: Resource = Resource {
    parent: Some(IN_PROJECT),
    ..Resource::plain(
        Kind::Connections,
        &[
            Field::text("name").required(),
            Field::new(
                "type",
                Holds::Choice(&["postgres", "redshift", "snowflake", "bigquery", "adapter"]),
            )
            .required(),
            Field::text("adapter_version"),
            Field::int("state"),
            Field::text("private_link_endpoint_id"),
            Field::int("oauth_configuration_id"),
            Field::new("details", Holds::Object),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "project_id": new.parent,
                "adapter_version": "postgres_v0",
                "created_by_id": new.call.caller.user_id,
                "created_by_service_token_id": new.call.caller.service_token_id,
                "private_link_endpoint_id": null,
                "oauth_redirect_uri": null,
                "oauth_configuration_id": null,
                "state": 1,
            }))
        },
    )
};

static ENCRYPTIONS: Resource = Resource {
    listing: Listing {
        filters: &["pk", "connection_id", "state"],
        default_state: Some(1),
        default_limit: 100,
    },
    ..Resource::plain(
        Kind::Encryptions,
        &[
            Field::int("connection_id").required(),
            Field::text("username").required(),
            Field::int("port").required(),
            Field::text("hostname").required(),
            Field::int("state"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "public_key": "ssh-rsa FAKE",
                "state": 1,
            }))
        },
    )
};
