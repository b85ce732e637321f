//! Connections of projects, credentials and users of the seed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::acme;
use crate::document::{Doc, as_doc};
use crate::stamp;

pub(super) fn project_connection(id: i64, account_id: i64, project_id: i64, at: DateTime<Utc>) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "dbt_project_id": project_id,
        "name": "Warehouse",
        "type": "postgres",
        "adapter_version": "postgres_v0",
        "created_by_id": acme::USER_ID,
        "created_by_service_token_id": null,
        "details": { "hostname": "warehouse.acme.example", "dbname": "analytics", "port": 5432, "tunnel_enabled": false },
        "hostname": "warehouse.acme.example",
        "dbname": "analytics",
        "port": 5432,
        "tunnel_enabled": false,
        "private_link_endpoint_id": null,
        "oauth_configuration_id": null,
        "oauth_redirect_uri": null,
        "state": 1,
        "created_at": stamp::spaced(at),
        "updated_at": stamp::spaced(at),
    }))
}

pub(super) fn credentials(id: i64, account_id: i64, project_id: i64, environment: &str) -> Doc {
    let schema = if environment == "Production" {
        "analytics"
    } else {
        "analytics_staging"
    };
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "type": "postgres",
        "state": 1,
        "threads": 8,
        "username": "dbt_runner",
        "default_schema": schema,
        "target_name": "default",
        "adapter_version": "postgres_v0",
    }))
}

pub(super) fn user(id: i64, first: &str, last: &str, at: DateTime<Utc>, account_id: i64) -> Doc {
    as_doc(json!({
        "id": id,
        "first_name": first,
        "last_name": last,
        "email": format!("{}.{}@acme.example", first.to_lowercase(), last.to_lowercase()),
        "state": 1,
        "apitoken_last_used": null,
        "azure_active_directory_connected": false,
        "azure_active_directory_token_retrieval_failure": false,
        "azure_active_directory_username": null,
        "email_connected": false,
        "email_verified": true,
        "enterprise_connected": true,
        "enterprise_authentication_method": "saml",
        "github_connected": true,
        "github_username": first.to_lowercase(),
        "github_token_retrieval_failure": false,
        "gitlab_connected": false,
        "gitlab_username": null,
        "gitlab_token_retrieval_failure": false,
        "is_active": true,
        "is_staff": false,
        "last_login": stamp::offset(at + TimeDelta::days(40)),
        "sso_only_user": false,
        "created_at": stamp::offset(at),
        "permissions": [{
            "id": id + 500,
            "account_id": account_id,
            "user_id": id,
            "license_type": "developer",
            "state": 1,
            "groups": [],
            "scim_managed": false,
            "created_at": stamp::offset(at),
            "updated_at": stamp::offset(at),
        }],
        "auth_provider_infos": {},
        "licenses": { account_id.to_string(): { "license_type": "developer" } },
    }))
}
