//! Environments.

use model::{RawJson, Timestamp};

super::view! {
    /// An environment of dbt Cloud. Some fields are version 3's alone (the list and the environment of a named project),
    /// others version 2's: they are null in the other one.
    #[schema(example = json!({
        "id": 70_403_106_000_001_i64, "account_id": 70_403_100_000_001_i64, "project_id": 70_403_103_000_001_i64,
        "name": "Production", "connection_id": 70_403_104_000_001_i64, "credentials_id": 70_403_108_000_001_i64,
        "repository_id": null, "extended_attributes_id": null, "primary_profile_id": null, "custom_branch": "main",
        "use_custom_branch": true, "dbt_project_subdirectory": null, "dbt_version": "latest",
        "raw_dbt_version": "latest", "supports_docs": true, "deployment_type": "production", "type": "deployment",
        "is_deferrable": true, "enable_model_query_history": false, "enable_dbt_state": false, "created_by_id": null,
        "state": 1, "created_at": "2024-03-19T11:57:15.559970Z", "updated_at": "2025-03-27T20:37:19.996618Z",
        "project": null, "connection": null, "credentials": null, "repository": null, "jobs": null,
        "custom_environment_variables": null, "fusion_readiness": null
    }))]
    pub struct EnvironmentView from Environment {
        id: i64;
        account_id: i64,
        project_id: i64,
        name: String,
        connection_id: i64,
        /// Its credentials for the warehouse; null for development.
        credentials_id: i64,
        /// Version 2 alone.
        repository_id: i64,
        extended_attributes_id: i64,
        /// Version 3 alone.
        primary_profile_id: i64,
        custom_branch: String,
        use_custom_branch: bool,
        /// Version 2 alone.
        dbt_project_subdirectory: String,
        dbt_version: String,
        raw_dbt_version: String,
        supports_docs: bool,
        /// `production`, `staging`, or null.
        deployment_type: String,
        /// `development` or `deployment`.
        #[serde(rename = "type")]
        environment_type: String,
        /// Version 3 alone, as are the next two.
        is_deferrable: bool,
        enable_model_query_history: bool,
        enable_dbt_state: bool,
        /// Version 2 alone.
        created_by_id: i64,
        /// 1: active, 2: deleted.
        state: i64,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        /// As dbt Cloud sends it, as are all related objects.
        project: RawJson as Value,
        connection: RawJson as Value,
        credentials: RawJson as Value,
        repository: RawJson as Value,
        jobs: Vec<RawJson> as Vec<Value>,
        custom_environment_variables: Vec<RawJson> as Vec<Value>,
        fusion_readiness: RawJson as Value,
    }
}
