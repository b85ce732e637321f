//! Environment variables of a project, by the Administrative API v3.

use std::collections::BTreeMap;

use model::{EnvironmentVariable, EnvironmentVariableValue, ProjectId, Upstream};
use serde::Deserialize;

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

/// dbt Cloud's map: variable, then environment, then id and value.
#[derive(Deserialize)]
struct VariablesWire {
    /// The order of the environments; `project` first.
    environments: Vec<String>,
    variables: BTreeMap<String, BTreeMap<String, Option<ValueWire>>>,
}

#[derive(Deserialize)]
struct ValueWire {
    id: Option<i64>,
    value: Option<String>,
}

impl From<VariablesWire> for Vec<EnvironmentVariable> {
    fn from(wire: VariablesWire) -> Self {
        let order = |name: &str| {
            wire.environments
                .iter()
                .position(|each| each == name)
                .unwrap_or(usize::MAX)
        };
        let variable = |(name, values): (String, BTreeMap<String, Option<ValueWire>>)| {
            let mut values: Vec<_> = values
                .into_iter()
                .filter_map(|(environment, set)| {
                    let ValueWire { id, value } = set?;
                    Some(EnvironmentVariableValue { environment, id, value })
                })
                .collect();
            values.sort_by_key(|each| order(&each.environment));
            EnvironmentVariable::new(name, values)
        };
        wire.variables.into_iter().map(variable).collect()
    }
}

impl dyn WrappedApi {
    /// The variables of a project, by name: "Retrieve Projects Environment Variables Environment",
    /// `GET /v3/accounts/{account_id}/projects/{project_id}/environment-variables/environment/`. Not paginated.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if the project does not exist.
    pub async fn list_environment_variables(
        &self,
        to: &Upstream,
        project: ProjectId,
    ) -> Result<ApiResponse<Vec<EnvironmentVariable>>, ApiError> {
        let account = to.account_id;
        let path = format!("/v3/accounts/{account}/projects/{project}/environment-variables/environment/");
        let answer = self.fetch::<VariablesWire>(to, ApiRequest::get(path)).await?;
        Ok(answer.map(Into::into))
    }
}
