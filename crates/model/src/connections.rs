//! Connections to warehouses, with the fields of `GET /api/v3/accounts/{id}/connections/{id}/` that hold no secret.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::{AccountId, ListFilter, Timestamp, ids, lenient};

ids::id!(/// A dbt Cloud connection to a warehouse.
    ConnectionId in path "connection_id");

lenient::noun! {
    /// A connection of dbt Cloud to a warehouse, without its secrets.
    #[schema(example = json!({
        "id": 70_403_103_960_001_i64, "account_id": 70_403_103_900_001_i64, "name": "Warehouse",
        "adapter_version": "snowflake_v0", "is_ssh_tunnel_enabled": false, "created_at": "2024-03-19T11:57:15.559970Z",
        "config": {"account": "ab12345", "database": "ANALYTICS", "warehouse": "TRANSFORMING", "role": "TRANSFORMER"}
    }))]
    pub struct Connection {
        id: ConnectionId as i64;
        account_id: AccountId as i64,
        name: String,
        /// The warehouse and the version of its adapter, such as `snowflake_v0`.
        adapter_version: String,
        private_link_endpoint_id: String,
        is_ssh_tunnel_enabled: bool,
        oauth_configuration_id: i64,
        /// Only in a single connection.
        is_configured_for_native_oauth: bool,
        /// The number of environments that use it. Only in lists.
        #[serde(rename = "environment__count")]
        environment_count: i64,
        platform_metadata_credentials_id: i64,
        analytics_credentials_id: i64,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        /// Only in a single connection: dbt Cloud sends null in lists.
        config: ConnectionConfig,
    }
}

lenient::part! {
    /// Where the warehouse is. An allow-list over all adapters: each field is null where its adapter does not have it, and
    /// keys, passwords, client ids and secrets are never shown.
    pub struct ConnectionConfig {
        account: String,
        database: String,
        warehouse: String,
        role: String,
        client_session_keep_alive: bool,
        allow_sso: bool,
        hostname: String,
        dbname: String,
        host: String,
        server: String,
        port: i64,
        http_path: String,
        catalog: String,
        cluster: String,
        method: String,
        project_id: String,
        execution_project: String,
        location: String,
        region_name: String,
        work_group: String,
    }
}

/// Which connections to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionFilter {
    /// The exact name.
    // dbt Cloud has no such filter: `name__icontains` narrows the list, and the names are compared here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// The warehouse and the version of its adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "snowflake_v0")]
    pub adapter_version: Option<String>,
}

impl ListFilter<Connection> for ConnectionFilter {
    fn is_supported(&self) -> bool {
        self.name.is_none()
    }

    fn matches(&self, connection: &Connection) -> bool {
        self.name == connection.name
    }
}
