//! Connections to the warehouse: the account's (v3), a project's (v3, deprecated), and the SSH tunnels of v2.

use serde_json::{Value, json};

use super::fields::{Field, FieldType};
use super::resource::{ALL_VERBS, IN_PROJECT, Resource, Shape, Verb};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Listing;
use crate::stamp;
use crate::world::{Account, Kind};

const OF_ACCOUNT: &str = "/api/v3/accounts/{account_id}/connections/";
const OF_PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/connections/";
const TUNNELS: &str = "/api/v2/accounts/{account_id}/encryptions/";

pub(crate) fn routes() -> Vec<Route> {
    let verbs = [Verb::Create, Verb::Get, Verb::Update("PATCH"), Verb::Delete];
    [
        resource_routes(OF_ACCOUNT, &LISTED, &[Verb::List]),
        resource_routes(OF_ACCOUNT, &CONNECTIONS, &verbs),
        resource_routes(OF_PROJECT, &PROJECT_CONNECTIONS, &ALL_VERBS),
        resource_routes(TUNNELS, &ENCRYPTIONS, &ALL_VERBS),
    ]
    .concat()
}

const ACCOUNT_CONNECTIONS: Resource = Resource {
    shape: Shape::ErrorCode,
    listing: Listing::all(&["name__icontains", "adapter_version"]),
    time: stamp::zulu,
    has_state: false,
    render: detail,
    ..Resource::plain(
        Kind::AccountConnections,
        &[
            Field::text("name").required(),
            Field::text("adapter_version").required(),
            Field::text("private_link_endpoint_id"),
            Field::flag("is_ssh_tunnel_enabled"),
            Field::int("oauth_configuration_id"),
            Field::new("config", FieldType::Object).required(),
        ],
        |new| Value::Object(account_connection(new.id, new.account_id, &stamp::zulu(new.call.now))),
    )
};

static CONNECTIONS: Resource = ACCOUNT_CONNECTIONS;

/// The list has other fields than the single connection.
static LISTED: Resource = Resource {
    render: listed,
    ..ACCOUNT_CONNECTIONS
};

/// A connection of an account, to be completed.
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
    let environments = account.rows(Kind::Environments);
    let used = environments
        .filter(|row| row.has("connection_id", doc.value("id")))
        .count();
    shown.put("environment__count", used);
    Value::Object(shown)
}

/// The fields of the configuration that the specification marks as write-only.
fn without_secrets(doc: &Doc) -> Doc {
    const WRITE_ONLY: [&str; 6] = [
        "private_key",
        "oauth_client_id",
        "oauth_client_secret",
        "client_secret",
        "application_id",
        "application_secret",
    ];
    let mut shown = doc.clone();
    if let Some(Value::Object(config)) = shown.get_mut("config") {
        config.retain(|name, _| !WRITE_ONLY.contains(&name.as_str()) && !name.contains("password"));
    }
    shown
}

static PROJECT_CONNECTIONS: Resource = Resource {
    parent: Some(IN_PROJECT),
    ..Resource::plain(
        Kind::Connections,
        &[
            Field::text("name").required(),
            Field::new(
                "type",
                FieldType::Choice(&["postgres", "redshift", "snowflake", "bigquery", "adapter"]),
            )
            .required(),
            Field::text("adapter_version"),
            Field::int("state"),
            Field::text("private_link_endpoint_id"),
            Field::int("oauth_configuration_id"),
            Field::new("details", FieldType::Object),
        ],
        |new| {
            json!({
                "adapter_version": "postgres_v0",
                "created_by_id": new.call.caller.user_id,
                "created_by_service_token_id": new.call.caller.service_token_id,
                "private_link_endpoint_id": null,
                "oauth_redirect_uri": null,
                "oauth_configuration_id": null,
            })
        },
    )
};

static ENCRYPTIONS: Resource = Resource {
    listing: Listing::active(&["pk", "connection_id", "state"]),
    ..Resource::plain(
        Kind::Encryptions,
        &[
            Field::int("connection_id").required(),
            Field::text("username").required(),
            Field::int("port").required(),
            Field::text("hostname").required(),
            Field::int("state"),
        ],
        |_| json!({ "public_key": "ssh-rsa FAKE" }),
    )
};
