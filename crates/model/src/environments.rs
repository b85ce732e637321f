//! Environments, with every field that the specification lists in version 2 or 3.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::comma_list::{comma_list, list_item};
use crate::{
    AccountId, EnvironmentId, ListFilter, ProjectId, RawJson, StateFilter, Timestamp, WarehouseCredentialsId, lenient,
};

lenient::noun! {
    /// An environment of dbt Cloud. Some fields are version 3's alone (the list and the environment of a named project),
    /// others version 2's: they are null in the other one.
    #[schema(example = json!({
        "id": 70_403_103_930_001_i64, "account_id": 70_403_103_900_001_i64, "project_id": 70_403_103_920_001_i64,
        "name": "Production", "connection_id": 70_403_103_960_001_i64, "credentials_id": 70_403_108_000_001_i64,
        "repository_id": null, "extended_attributes_id": null, "primary_profile_id": null, "custom_branch": "main",
        "use_custom_branch": true, "dbt_project_subdirectory": null, "dbt_version": "latest",
        "raw_dbt_version": "latest", "supports_docs": true, "deployment_type": "production", "type": "deployment",
        "is_deferrable": true, "enable_model_query_history": false, "enable_dbt_state": false, "created_by_id": null,
        "state": 1, "created_at": "2024-03-19T11:57:15.559970Z", "updated_at": "2025-03-27T20:37:19.996618Z",
        "project": null, "connection": null, "credentials": null, "repository": null, "jobs": null,
        "custom_environment_variables": null, "fusion_readiness": null
    }))]
    pub struct Environment {
        id: EnvironmentId as i64;
        account_id: AccountId as i64,
        project_id: ProjectId as i64,
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

/// Which environments to list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EnvironmentFilter {
    /// Environments of this project; several with commas between them. One project is read by version 3 of dbt Cloud's
    /// API, several and none by version 2: some fields are null in the one or the other.
    #[serde(default, deserialize_with = "comma_list", skip_serializing_if = "Vec::is_empty")]
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false, example = json!([70_403_103_920_001_i64]))]
    pub project_id: Vec<ProjectId>,
    /// The exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// `production` or `staging`; both with a comma between them.
    #[serde(default, deserialize_with = "comma_list", skip_serializing_if = "Vec::is_empty")]
    #[param(value_type = Option<Vec<DeploymentType>>, style = Form, explode = false)]
    pub deployment_type: Vec<DeploymentType>,
    /// `development` or `deployment`.
    #[serde(rename(deserialize = "type"), skip_serializing_if = "Option::is_none")]
    #[param(rename = "type", value_type = Option<EnvironmentType>)]
    pub environment_type: Option<EnvironmentType>,
    /// The version of dbt, as dbt Cloud spells it; several with commas between them.
    #[serde(default, deserialize_with = "comma_list", skip_serializing_if = "Vec::is_empty")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["latest"]))]
    pub dbt_version: Vec<String>,
    /// Environments with these credentials for the warehouse (dbt Cloud's, none of the gateway's).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<i64>)]
    pub credentials_id: Option<WarehouseCredentialsId>,
    /// `active` (the default), `deleted` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<StateFilter>)]
    pub state: Option<StateFilter>,
    /// A field of dbt Cloud to order by, `id` by default; `-id` for the newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "-id")]
    pub order_by: Option<String>,
}

impl EnvironmentFilter {
    /// The only project, whose list is version 3's; `None`: version 2's list of the account.
    pub fn only_project(&self) -> Option<ProjectId> {
        match self.project_id[..] {
            [project] => Some(project),
            _ => None,
        }
    }

    fn matches_in_version_2(&self, environment: &Environment) -> bool {
        let name = environment.name.as_deref().unwrap_or_default().to_lowercase();
        let contains = |part: &String| name.contains(&part.to_lowercase());
        let kind = self.environment_type.map(EnvironmentType::as_str);
        let deployment = environment.deployment_type.as_deref();
        let deployments = &self.deployment_type;
        self.name_contains.as_ref().is_none_or(contains)
            && (kind.is_none() || kind == environment.environment_type.as_deref())
            && (deployments.is_empty() || deployments.iter().any(|each| Some(each.as_str()) == deployment))
            && (self.credentials_id.is_none() || self.credentials_id.map(i64::from) == environment.credentials_id)
    }
}

impl ListFilter<Environment> for EnvironmentFilter {
    /// dbt Cloud does not document what its filter `name` compares, and version 2 has none of the others compared here.
    fn is_supported(&self) -> bool {
        let version_2_lacks = self.name_contains.is_some()
            || !self.deployment_type.is_empty()
            || self.environment_type.is_some()
            || self.credentials_id.is_some();
        self.name.is_none() && (self.only_project().is_some() || !version_2_lacks)
    }

    fn matches(&self, environment: &Environment) -> bool {
        let has_name = self.name.is_none() || self.name == environment.name;
        // Version 3 has compared the rest.
        has_name && (self.only_project().is_some() || self.matches_in_version_2(environment))
    }
}

/// The use of a deployment environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are dbt Cloud's")]
pub enum DeploymentType {
    Production,
    Staging,
}

impl DeploymentType {
    /// Every deployment type.
    pub const ALL: [Self; 2] = [Self::Production, Self::Staging];

    /// The spelling of dbt Cloud and of the REST API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
        }
    }
}

list_item!(DeploymentType);

/// The purpose of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are dbt Cloud's")]
pub enum EnvironmentType {
    Development,
    Deployment,
}

impl EnvironmentType {
    /// The spelling of dbt Cloud and of the REST API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Deployment => "deployment",
        }
    }
}
