//! A project of dbt Cloud, with every field that the specification of `GET /api/v3/accounts/{id}/projects/` lists.

use serde::Serialize;

use crate::{AccountId, JobId, ProjectId, StateFilter, Timestamp, RawJson, lenient};

lenient::noun! {
    /// A project, as the Administrative API v3 answers it. Only `id` is sure to be there.
    pub struct Project {
        id: ProjectId;
        name: String,
        account_id: AccountId,
        description: String,
        connection_id: i64,
        repository_id: i64,
        semantic_layer_config_id: i64,
        /// 1 is active, 2 is deleted.
        state: i64,
        dbt_project_subdirectory: String,
        docs_job_id: JobId,
        freshness_job_id: JobId,
        /// 0 is a default project, 1 a hybrid one.
        #[serde(rename = "type")]
        project_type: i64,
        created_at: Timestamp,
        updated_at: Timestamp,
        connection: RawJson,
        environments: Vec<RawJson>,
        repository: RawJson,
        group_permissions: Vec<RawJson>,
        docs_job: RawJson,
        freshness_job: RawJson,
        fusion_readiness: RawJson,
        default_version: String,
    }
}

/// Which projects to list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProjectFilter {
    /// The exact name; dbt Cloud has no such filter, so we narrow by `name__icontains` and compare here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, any case: dbt Cloud's `name__icontains`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// By soft deletion; absent means active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateFilter>,
    /// A field to order by, with `-` in front for descending; dbt Cloud's default is `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
}
