//! Every operation, its name, and the role that it needs.
//!
//! An operation has the same name in every layer: handler, operation id, `RequestType`, and the methods of `DbtClient`,
//! `DbtProvider` and `WrappedApi`.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Effect, RelayedOperation, Role};

/// One of dbt Cloud's three APIs. One credential is valid for all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientType {
    /// The Administrative API, v2 and v3.
    DbtCloudAdministrative,
    /// The Discovery API.
    DbtCloudMetadata,
    /// The Semantic Layer API.
    DbtCloudSemanticLayer,
}

impl ClientType {
    /// Every API.
    pub const ALL: [Self; 3] = [
        Self::DbtCloudAdministrative,
        Self::DbtCloudMetadata,
        Self::DbtCloudSemanticLayer,
    ];

    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DbtCloudAdministrative => "dbt_cloud_administrative",
            Self::DbtCloudMetadata => "dbt_cloud_metadata",
            Self::DbtCloudSemanticLayer => "dbt_cloud_semantic_layer",
        }
    }
}

/// The kind of a request whose path is not in dbt Cloud's specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forwarded {
    /// The method only reads.
    Read,
    /// The method may change something.
    Change,
    /// It might create a dbt token.
    MintsToken,
}

/// Declares the request types, one line each: spelling, role, effect and API.
macro_rules! request_types {
    ($($(#[$doc:meta])* $name:ident $spelling:literal needs $role:ident, $effect:ident, $client:expr;)*) => {
        /// The operation that a caller requests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RequestType {
            $($(#[$doc])* $name,)*
            /// An operation of dbt Cloud without a route in the gateway's REST API.
            Relayed(RelayedOperation),
            /// Relayed; not in dbt Cloud's specifications.
            Forward(Forwarded),
        }

        impl RequestType {
            /// Every request type except `Relayed` and `Forward`.
            pub const ALL: [Self; [$($spelling),*].len()] = [$(Self::$name,)*];

            /// The spelling of the request log, the metrics and the OpenAPI operation ids.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $spelling,)*
                    Self::Relayed(operation) => operation.as_str(),
                    Self::Forward(_) => "forward",
                }
            }

            /// The weakest role that may call it.
            pub fn needs(self) -> Role {
                match self {
                    $(Self::$name => Role::$role,)*
                    Self::Relayed(operation) => operation.needs(),
                    Self::Forward(_) => Role::Admin,
                }
            }

            /// Whether it changes something.
            pub fn effect(self) -> Effect {
                match self {
                    $(Self::$name => Effect::$effect,)*
                    Self::Relayed(operation) => operation.effect(),
                    Self::Forward(Forwarded::Read) => Effect::Read,
                    Self::Forward(_) => Effect::Change,
                }
            }

            /// The API of dbt Cloud that serves it; `None` for operations on the gateway's own records.
            pub fn client_type(self) -> Option<ClientType> {
                match self {
                    $(Self::$name => $client,)*
                    Self::Relayed(_) | Self::Forward(_) => ADMINISTRATIVE,
                }
            }
        }
    };
}

const ADMINISTRATIVE: Option<ClientType> = Some(ClientType::DbtCloudAdministrative);
const METADATA: Option<ClientType> = Some(ClientType::DbtCloudMetadata);
const SEMANTIC_LAYER: Option<ClientType> = Some(ClientType::DbtCloudSemanticLayer);
const OWN_RECORDS: Option<ClientType> = None;

request_types! {
    /// List the accounts that the company has a credential for and the key may use.
    ListAccounts "list_accounts" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one account.
    GetAccount "get_account" needs Viewer, Read, ADMINISTRATIVE;
    /// List the projects of an account.
    ListProjects "list_projects" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one project.
    GetProject "get_project" needs Viewer, Read, ADMINISTRATIVE;
    /// List the environments of an account or a project.
    ListEnvironments "list_environments" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one environment.
    GetEnvironment "get_environment" needs Viewer, Read, ADMINISTRATIVE;
    /// List the environment variables of a project.
    ListEnvironmentVariables "list_environment_variables" needs Viewer, Read, ADMINISTRATIVE;
    /// List the connections of an account.
    ListConnections "list_connections" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one connection.
    GetConnection "get_connection" needs Viewer, Read, ADMINISTRATIVE;
    /// List the jobs of an account.
    ListJobs "list_jobs" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one job.
    GetJob "get_job" needs Viewer, Read, ADMINISTRATIVE;
    /// Define a job.
    CreateJob "create_job" needs Admin, Change, ADMINISTRATIVE;
    /// Change a job's definition.
    UpdateJob "update_job" needs Admin, Change, ADMINISTRATIVE;
    /// Delete a job.
    DeleteJob "delete_job" needs Admin, Change, ADMINISTRATIVE;
    /// Start a run of a job.
    TriggerJob "trigger_job" needs Operator, Change, ADMINISTRATIVE;
    /// Tell what a trigger would do.
    PreviewTrigger "preview_trigger" needs Operator, Read, ADMINISTRATIVE;
    /// Look for the runs of triggers whose answers were lost; in the background only.
    ResolveTriggers "resolve_triggers" needs Viewer, Read, ADMINISTRATIVE;
    /// List the runs of an account.
    ListRuns "list_runs" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one run.
    GetRun "get_run" needs Viewer, Read, ADMINISTRATIVE;
    /// List the steps of a run, with their logs.
    ListRunSteps "list_run_steps" needs Viewer, Read, ADMINISTRATIVE;
    /// Read why a run failed.
    GetRunFailure "get_run_failure" needs Viewer, Read, ADMINISTRATIVE;
    /// Wait until a run has ended.
    WaitForRun "wait_for_run" needs Viewer, Read, ADMINISTRATIVE;
    /// Read how far a run is.
    GetRunProgress "get_run_progress" needs Viewer, Read, ADMINISTRATIVE;
    /// Follow the events of a run.
    ListRunEvents "list_run_events" needs Viewer, Read, ADMINISTRATIVE;
    /// Follow the events of an account's runs.
    ListEvents "list_events" needs Viewer, Read, ADMINISTRATIVE;
    /// Read the state of watched runs; in the background only.
    WatchRuns "watch_runs" needs Viewer, Read, ADMINISTRATIVE;
    /// Look for new runs of an account whose events somebody follows; in the background only.
    FindNewRuns "find_new_runs" needs Viewer, Read, ADMINISTRATIVE;
    /// Cancel a run whose caller disconnected or whose time was up; in the background only.
    CancelWaitedRun "cancel_waited_run" needs Operator, Change, ADMINISTRATIVE;
    /// Cancel a run.
    CancelRun "cancel_run" needs Operator, Change, ADMINISTRATIVE;
    /// Read which nodes a retry of a run would execute.
    GetRetryPreview "get_retry_preview" needs Viewer, Read, ADMINISTRATIVE;
    /// Start a run from the point of failure of another.
    RetryRun "retry_run" needs Operator, Change, ADMINISTRATIVE;
    /// Start a run of a job from the point of failure of its latest run.
    RerunJob "rerun_job" needs Operator, Change, ADMINISTRATIVE;
    /// List the artifacts of a run.
    ListRunArtifacts "list_run_artifacts" needs Viewer, Read, ADMINISTRATIVE;
    /// Download an artifact of a run.
    GetRunArtifact "get_run_artifact" needs Viewer, Read, ADMINISTRATIVE;
    /// Download the latest artifact of a job.
    GetJobArtifact "get_job_artifact" needs Viewer, Read, ADMINISTRATIVE;
    /// Query the Discovery API. Sent as a POST, so never retried.
    QueryMetadata "query_metadata" needs Viewer, Read, METADATA;
    /// Send a mutation to the Discovery API.
    MutateMetadata "mutate_metadata" needs Operator, Change, METADATA;
    /// Query the Semantic Layer API, or create a query there. Sent as a POST, so never retried.
    QuerySemanticLayer "query_semantic_layer" needs Viewer, Read, SEMANTIC_LAYER;
    /// Send any other mutation to the Semantic Layer API.
    MutateSemanticLayer "mutate_semantic_layer" needs Operator, Change, SEMANTIC_LAYER;
    /// Read what is free and used of the budget of an account's requests.
    GetBudget "get_budget" needs Viewer, Read, OWN_RECORDS;
    /// Check a credential with dbt Cloud.
    VerifyCredential "verify_credential" needs Admin, Read, ADMINISTRATIVE;
    /// List a company's credentials.
    ListCredentials "list_credentials" needs Admin, Read, OWN_RECORDS;
    /// Read one credential, without its token.
    GetCredential "get_credential" needs Admin, Read, OWN_RECORDS;
    /// Store a credential.
    CreateCredential "create_credential" needs Admin, Change, OWN_RECORDS;
    /// Change a credential.
    UpdateCredential "update_credential" needs Admin, Change, OWN_RECORDS;
    /// Delete a credential.
    DeleteCredential "delete_credential" needs Admin, Change, OWN_RECORDS;
    /// List a company's API keys.
    ListApiKeys "list_api_keys" needs Admin, Read, OWN_RECORDS;
    /// Read one API key, without its text.
    GetApiKey "get_api_key" needs Admin, Read, OWN_RECORDS;
    /// Create an API key.
    CreateApiKey "create_api_key" needs Admin, Change, OWN_RECORDS;
    /// Revoke an API key.
    RevokeApiKey "revoke_api_key" needs Admin, Change, OWN_RECORDS;
    /// List rows of the request log.
    ListRequestLogs "list_request_logs" needs Viewer, Read, OWN_RECORDS;
    /// Read one row of the request log.
    GetRequestLog "get_request_log" needs Viewer, Read, OWN_RECORDS;
    /// Export rows of the request log.
    ExportRequestLogs "export_request_logs" needs Viewer, Read, OWN_RECORDS;
    /// Count rows of the request log and summarise their durations.
    SummarizeRequestLogs "summarize_request_logs" needs Viewer, Read, OWN_RECORDS;
    /// Read the metrics of the process.
    GetMetrics "get_metrics" needs Admin, Read, OWN_RECORDS;
    /// Create a company; from the command line only.
    CreateCompany "create_company" needs Admin, Change, OWN_RECORDS;
    /// Suspend a company: its keys are refused; from the command line only.
    SuspendCompany "suspend_company" needs Admin, Change, OWN_RECORDS;
    /// End the suspension of a company; from the command line only.
    ResumeCompany "resume_company" needs Admin, Change, OWN_RECORDS;
}

impl RequestType {
    /// Request types that start a run. In the request log their `run_id` is the run that was started.
    pub const STARTS_RUN: [Self; 3] = [Self::TriggerJob, Self::RetryRun, Self::RerunJob];

    /// Whether it may be sent again after a transient failure: reads, except GraphQL queries, which are POSTs.
    pub fn may_be_sent_again(self) -> bool {
        self.effect() == Effect::Read && self.client_type() == ADMINISTRATIVE
    }

    /// The request type with that spelling, one of [`Self::ALL`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether its answer contains a new dbt token.
    pub fn mints_token(self) -> bool {
        match self {
            Self::Relayed(operation) => operation.mints_token(),
            Self::Forward(forwarded) => forwarded == Forwarded::MintsToken,
            _ => false,
        }
    }
}

impl Serialize for RequestType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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
    fn every_request_type_is_found_by_its_spelling() {
        for request_type in RequestType::ALL {
            assert_eq!(RequestType::from_name(request_type.as_str()), Some(request_type));
            assert_eq!(serde_json::to_value(request_type).unwrap(), request_type.as_str());
        }
        assert_eq!(RequestType::from_name("drop_tables"), None);
    }

    #[test]
    fn viewers_can_only_read() {
        for request_type in RequestType::ALL {
            assert!(
                request_type.effect() == Effect::Read || request_type.needs() > Role::Viewer,
                "{request_type}"
            );
        }
    }
}
