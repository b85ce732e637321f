//! The connections and environment variables of Acme Retail Group.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::acme;
use crate::api::{connections, env_vars};
use crate::document::with;
use crate::stamp;
use crate::world::{Account, Kind};

/// One connection for each project, of five adapters.
pub(super) fn grow_connections(account: &mut Account, born: DateTime<Utc>) {
    let postgres = json!({ "hostname": "warehouse.acme.example", "dbname": "analytics", "port": 5432, "retries": 1 });
    let snowflake = json!({ "account": "ab12345.eu-central-1", "database": "FINANCE", "warehouse": "REPORTING",
        "role": "TRANSFORMER", "client_session_keep_alive": false, "allow_sso": true });
    let bigquery = json!({ "project_id": "acme-store-operations", "client_email": "dbt@acme-store-operations.example",
        "client_id": "100000000000000000001", "location": "EU", "job_execution_timeout_seconds": 300, "retries": 3 });
    let databricks = json!({ "host": "acme.cloud.databricks.com", "http_path": "/sql/1.0/warehouses/abc123",
        "catalog": "supply_chain" });
    let redshift = json!({ "hostname": "marketing.acme.example", "dbname": "attribution", "port": 5439, "retries": 1 });
    let connections: [(i64, &str, &str, Value); 7] = [
        (acme::CONNECTION_ID, "Warehouse", "postgres_v0", postgres.clone()),
        (
            acme::SNOWFLAKE_CONNECTION_ID,
            "Finance Snowflake",
            "snowflake_v0",
            snowflake,
        ),
        (acme::BIGQUERY_CONNECTION_ID, "Store BigQuery", "bigquery_v1", bigquery),
        (
            acme::DATABRICKS_CONNECTION_ID,
            "Supply Chain Databricks",
            "databricks_v0",
            databricks,
        ),
        (acme::CONNECTION_ID + 4, "Marketing Redshift", "redshift_v0", redshift),
        (
            acme::CONNECTION_ID + 5,
            "Loyalty Warehouse",
            "postgres_v0",
            postgres.clone(),
        ),
        (acme::CONNECTION_ID + 6, "Sandbox Warehouse", "postgres_v0", postgres),
    ];
    for (id, name, adapter_version, config) in connections {
        let blank = connections::account_connection(id, account.id, &stamp::zulu(born));
        let fields = json!({ "name": name, "adapter_version": adapter_version, "config": config });
        account.put(Kind::AccountConnections, with(blank, fields));
    }
}

/// Three variables of [`acme::PROJECT_ID`]; the last one is a secret.
pub(super) fn grow_variables(account: &mut Account, born: DateTime<Utc>) {
    let (production, staging) = (acme::PRODUCTION_ENVIRONMENT_ID, acme::STAGING_ENVIRONMENT_ID);
    let values = [
        (acme::THREADS_VARIABLE, None, "4"),
        (acme::THREADS_VARIABLE, Some(production), "16"),
        (acme::THREADS_VARIABLE, Some(staging), "8"),
        (acme::SCHEMA_VARIABLE, None, "analytics_dev"),
        (acme::SCHEMA_VARIABLE, Some(production), "analytics"),
        (acme::SECRET_VARIABLE, None, "made-up-default-token"),
        (acme::SECRET_VARIABLE, Some(production), "made-up-production-token"),
        (acme::SECRET_VARIABLE, Some(staging), "made-up-staging-token"),
    ];
    for ((name, environment_id, value), id) in values.into_iter().zip(acme::FIRST_VARIABLE_VALUE_ID..) {
        let row = env_vars::value(id, account.id, acme::PROJECT_ID, name, environment_id, value, born);
        account.put(Kind::EnvironmentVariables, row);
    }
}
