//! Projects, with every field in the specification of `GET /api/v3/accounts/{id}/projects/`.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::{AccountId, JobId, ListFilter, ProjectId, RawJson, StateFilter, Timestamp, lenient};

lenient::noun! {
    /// A project of dbt Cloud.
    #[schema(example = json!({
        "id": 70_403_103_920_001_i64, "name": "Commerce", "account_id": 70_403_103_900_001_i64,
        "description": "Orders, payments and customers", "connection_id": 70_403_103_960_001_i64,
        "repository_id": 70_403_105_000_001_i64, "semantic_layer_config_id": null, "state": 1,
        "dbt_project_subdirectory": null, "docs_job_id": null, "freshness_job_id": null, "type": 0,
        "created_at": "2024-03-19T11:57:15.559970Z", "updated_at": "2025-03-27T20:37:19.996618Z",
        "connection": null, "environments": null, "repository": null, "group_permissions": [], "docs_job": null,
        "freshness_job": null, "fusion_readiness": null, "default_version": null
    }))]
    pub struct Project {
        id: ProjectId as i64;
        name: String,
        account_id: AccountId as i64,
        description: String,
        /// The active connection.
        connection_id: i64,
        /// The active repository.
        repository_id: i64,
        semantic_layer_config_id: i64,
        /// 1: active, 2: deleted.
        state: i64,
        /// Where in the repository the dbt project is.
        dbt_project_subdirectory: String,
        /// The job that generates the docs.
        docs_job_id: JobId as i64,
        /// The job that checks source freshness.
        freshness_job_id: JobId as i64,
        /// 0: default, 1: hybrid.
        #[serde(rename = "type")]
        project_type: i64,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        /// As dbt Cloud sends it, as are all related objects.
        connection: RawJson as Value,
        environments: Vec<RawJson> as Vec<Value>,
        repository: RawJson as Value,
        group_permissions: Vec<RawJson> as Vec<Value>,
        docs_job: RawJson as Value,
        freshness_job: RawJson as Value,
        fusion_readiness: RawJson as Value,
        /// The dbt version of new environments.
        default_version: String,
    }
}

/// Which projects to list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProjectFilter {
    /// The exact name.
    // dbt Cloud has no such filter: `name__icontains` narrows the list, and the names are compared here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// `active` (the default), `deleted` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<StateFilter>)]
    pub state: Option<StateFilter>,
    /// A field of dbt Cloud to order by, `id` by default; `-id` for the newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "-id")]
    pub order_by: Option<String>,
}

impl ListFilter<Project> for ProjectFilter {
    fn is_supported(&self) -> bool {
        self.name.is_none()
    }

    fn matches(&self, project: &Project) -> bool {
        self.name == project.name
    }
}
