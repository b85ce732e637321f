//! Environment variables of a project, by variable.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ProjectId;

/// An environment variable with its value in each environment that sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"name": "DBT_TARGET_SCHEMA", "values": [
    {"environment": "project", "id": 70_403_109_000_001_i64, "value": "analytics"},
    {"environment": "Production", "id": 70_403_109_000_002_i64, "value": "prod"}
]}))]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: String,
    /// The values, in dbt Cloud's order of the environments; those that do not set it are left out.
    pub values: Vec<EnvironmentVariableValue>,
}

/// The value of a variable in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EnvironmentVariableValue {
    /// The environment's name; `project` is the project's default.
    pub environment: String,
    /// The id of the value; null where dbt Cloud sends none.
    pub id: Option<i64>,
    /// The value; asterisks where the name has `DBT_ENV_SECRET` in it.
    pub value: Option<String>,
}

impl EnvironmentVariable {
    const MASK: &str = "**********";

    /// A variable. The values of a secret are masked here too, whatever dbt Cloud sent.
    pub fn new(name: String, mut values: Vec<EnvironmentVariableValue>) -> Self {
        if name.to_ascii_uppercase().contains("DBT_ENV_SECRET") {
            for set in values.iter_mut().filter_map(|each| each.value.as_mut()) {
                Self::MASK.clone_into(set);
            }
        }
        Self { name, values }
    }
}

/// Whose variables to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EnvironmentVariableFilter {
    /// The project.
    #[param(value_type = i64, example = 70_403_103_920_001_i64)]
    pub project_id: ProjectId,
}
