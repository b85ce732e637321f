//! An environment of dbt Cloud, with every field that the specification lists in either of its versions, and the filters
//! of its lists.

use serde::Serialize;

use crate::{AccountId, EnvironmentId, ProjectId, StateFilter, Timestamp, RawJson, lenient};

lenient::noun! {
    /// An environment. Version 3 answers where a project is named, version 2 otherwise, and each leaves out what only
    /// the other lists. Only `id` is sure to be there.
    pub struct Environment {
        id: EnvironmentId;
        account_id: AccountId,
        project_id: ProjectId,
        name: String,
        connection_id: i64,
        credentials_id: i64,
        repository_id: i64,
        extended_attributes_id: i64,
        primary_profile_id: i64,
        custom_branch: String,
        use_custom_branch: bool,
        dbt_project_subdirectory: String,
        dbt_version: String,
        raw_dbt_version: String,
        supports_docs: bool,
        /// `production`, `staging`, or null.
        deployment_type: String,
        /// `development` or `deployment`.
        #[serde(rename = "type")]
        environment_type: String,
        is_deferrable: bool,
        enable_model_query_history: bool,
        enable_dbt_state: bool,
        created_by_id: i64,
        /// 1 is active, 2 is deleted.
        state: i64,
        created_at: Timestamp,
        updated_at: Timestamp,
        project: RawJson,
        connection: RawJson,
        credentials: RawJson,
        repository: RawJson,
        jobs: Vec<RawJson>,
        custom_environment_variables: Vec<RawJson>,
        fusion_readiness: RawJson,
    }
}

/// Which environments to list, and in which order. An empty list means: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EnvironmentFilter {
    /// Those of any of these projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub project_id: Vec<ProjectId>,
    /// The exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// Any of these: `production`, `staging`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployment_type: Vec<String>,
    /// `development` or `deployment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_type: Option<String>,
    /// Any of these versions of dbt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dbt_version: Vec<String>,
    /// Those with these credentials of dbt Cloud (for the warehouse, none of ours).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_id: Option<i64>,
    /// By soft deletion; absent means active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateFilter>,
    /// A field to order by, with `-` in front for descending; dbt Cloud's default is `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
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

    /// What of the filter dbt Cloud does not do, and has to be looked for in its answer: an exact name (dbt's own filter
    /// `name` is not documented further), and in version 2 most of the rest. `None` where dbt Cloud does all.
    pub fn unsupported(&self) -> Option<Self> {
        let mut left = Self {
            name: self.name.clone(),
            ..Self::default()
        };
        if self.only_project().is_none() {
            left.name_contains = self.name_contains.as_ref().map(|part| part.to_lowercase());
            left.deployment_type.clone_from(&self.deployment_type);
            left.environment_type.clone_from(&self.environment_type);
            left.credentials_id = self.credentials_id;
        }
        (left != Self::default()).then_some(left)
    }

    /// Whether an environment is one of those, by what [`Self::unsupported`] left.
    pub fn matches(&self, environment: &Environment) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let lower = environment
            .name
            .as_ref()
            .map(|name| name.to_lowercase())
            .unwrap_or_default();
        let deployment = environment.deployment_type.as_ref();
        same(&self.name, &environment.name)
            && self.name_contains.as_ref().is_none_or(|part| lower.contains(part))
            && same(&self.environment_type, &environment.environment_type)
            && (self.deployment_type.is_empty() || deployment.is_some_and(|found| self.deployment_type.contains(found)))
            && (self.credentials_id.is_none() || self.credentials_id == environment.credentials_id)
    }
}
