//! Every operation by its one name, and what each needs.
//!
//! The same name stands at every floor: handler, operation id, variant here, client, provider and wrapped-API method.

use std::fmt;

use serde::Serialize;

use crate::Role;

/// Which of dbt Cloud's APIs a request is for: the faces of one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientType {
    /// The Administrative API, v2 and v3.
    DbtCloudAdministrative,
}

impl ClientType {
    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DbtCloudAdministrative => "dbt_cloud_administrative",
        }
    }
}

/// Whether a request changes something, at dbt Cloud or in our own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Only reads; may be sent again.
    Read,
    /// Changes something; is sent at most once and runs to its end without its caller.
    Change,
}

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestType {
    /// List the projects of an account.
    ListProjects,
    /// Read one project.
    GetProject,
    /// Start a run of a job.
    TriggerJob,
    /// Read one run.
    GetRun,
    /// Make a caller's key of this gateway.
    CreateApiKey,
}

impl RequestType {
    /// Every request type, for tests and tables.
    pub const ALL: [Self; 5] = [
        Self::ListProjects,
        Self::GetProject,
        Self::TriggerJob,
        Self::GetRun,
        Self::CreateApiKey,
    ];

    /// The spelling of the request log, the metrics and the OpenAPI operation ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ListProjects => "list_projects",
            Self::GetProject => "get_project",
            Self::TriggerJob => "trigger_job",
            Self::GetRun => "get_run",
            Self::CreateApiKey => "create_api_key",
        }
    }

    /// The request type with that spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|request_type| request_type.as_str() == name)
    }

    /// The weakest role that may ask for it.
    pub fn needs(self) -> Role {
        match self {
            Self::ListProjects | Self::GetProject | Self::GetRun => Role::Viewer,
            Self::TriggerJob => Role::Operator,
            Self::CreateApiKey => Role::Admin,
        }
    }

    /// Whether it changes something.
    pub fn effect(self) -> Effect {
        match self {
            Self::ListProjects | Self::GetProject | Self::GetRun => Effect::Read,
            Self::TriggerJob | Self::CreateApiKey => Effect::Change,
        }
    }

    /// The API of dbt Cloud that answers it; `None` for what only touches our own records.
    pub fn client_type(self) -> Option<ClientType> {
        match self {
            Self::ListProjects | Self::GetProject | Self::TriggerJob | Self::GetRun => {
                Some(ClientType::DbtCloudAdministrative)
            }
            Self::CreateApiKey => None,
        }
    }
}

impl fmt::Display for RequestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_type_survives_its_spelling() {
        for request_type in RequestType::ALL {
            assert_eq!(RequestType::from_name(request_type.as_str()), Some(request_type));
            assert_eq!(serde_json::to_value(request_type).unwrap(), request_type.as_str());
        }
        assert_eq!(RequestType::from_name("drop_tables"), None);
    }

    #[test]
    fn a_viewer_changes_nothing() {
        for request_type in RequestType::ALL {
            assert_eq!(
                request_type.needs() > Role::Viewer,
                request_type.effect() == Effect::Change,
                "{request_type}"
            );
        }
    }
}
