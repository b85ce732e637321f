//! Every operation by its one name, and what each needs.
//!
//! The same name stands at every floor: handler, operation id, variant here, client, provider and wrapped-API method.

use std::fmt;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

use crate::{RelayedOperation, Role};

/// Which of dbt Cloud's APIs a request is for: those that one credential serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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
    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DbtCloudAdministrative => "dbt_cloud_administrative",
            Self::DbtCloudMetadata => "dbt_cloud_metadata",
            Self::DbtCloudSemanticLayer => "dbt_cloud_semantic_layer",
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

/// What is known of a request for a path that no specification of dbt Cloud's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forwarded {
    /// By its method it reads.
    Read,
    /// By its method it may change something.
    Change,
    /// It looks as if it made a dbt token.
    MintsToken,
}

/// Declares the request types as one table: a line each, with spelling, role, effect and API.
macro_rules! request_types {
    ($($(#[$doc:meta])* $name:ident $spelling:literal needs $role:ident, $effect:ident, $client:expr;)*) => {
        /// What a caller asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RequestType {
            $($(#[$doc])* $name,)*
            /// An operation of dbt Cloud's that has no route of ours: only relayed.
            Relayed(RelayedOperation),
            /// Relayed, and not in dbt Cloud's specifications.
            Forward(Forwarded),
        }

        impl RequestType {
            /// Every request type that is more than relayed, for tests and tables.
            pub const ALL: [Self; [$($spelling),*].len()] = [$(Self::$name,)*];

            /// The spelling of the request log, the metrics and the OpenAPI operation ids.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $spelling,)*
                    Self::Relayed(operation) => operation.as_str(),
                    Self::Forward(_) => FORWARD,
                }
            }

            /// The weakest role that may ask for it.
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

            /// The API of dbt Cloud that answers it; `None` for what only touches our own records.
            pub fn client_type(self) -> Option<ClientType> {
                match self {
                    $(Self::$name => $client,)*
                    Self::Relayed(_) | Self::Forward(_) => ADMINISTRATIVE,
                }
            }
        }
    };
}

/// The one spelling of all that is relayed without being known.
const FORWARD: &str = "forward";

const ADMINISTRATIVE: Option<ClientType> = Some(ClientType::DbtCloudAdministrative);
const METADATA: Option<ClientType> = Some(ClientType::DbtCloudMetadata);
const SEMANTIC_LAYER: Option<ClientType> = Some(ClientType::DbtCloudSemanticLayer);
const OWN_RECORDS: Option<ClientType> = None;

request_types! {
    /// List the accounts that the company holds and the key may use.
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
    /// List the runs of an account.
    ListRuns "list_runs" needs Viewer, Read, ADMINISTRATIVE;
    /// Read one run.
    GetRun "get_run" needs Viewer, Read, ADMINISTRATIVE;
    /// List the steps of a run, with their logs.
    ListRunSteps "list_run_steps" needs Viewer, Read, ADMINISTRATIVE;
    /// Read why a run failed.
    GetRunFailure "get_run_failure" needs Viewer, Read, ADMINISTRATIVE;
    /// Cancel a run.
    CancelRun "cancel_run" needs Operator, Change, ADMINISTRATIVE;
    /// Read what a retry of a run would run.
    GetRetryPreview "get_retry_preview" needs Viewer, Read, ADMINISTRATIVE;
    /// Start a run from where another failed.
    RetryRun "retry_run" needs Operator, Change, ADMINISTRATIVE;
    /// Start a run of a job from where its latest one failed.
    RerunJob "rerun_job" needs Operator, Change, ADMINISTRATIVE;
    /// List the artifacts of a run.
    ListRunArtifacts "list_run_artifacts" needs Viewer, Read, ADMINISTRATIVE;
    /// Download an artifact of a run.
    GetRunArtifact "get_run_artifact" needs Viewer, Read, ADMINISTRATIVE;
    /// Download the latest artifact of a job.
    GetJobArtifact "get_job_artifact" needs Viewer, Read, ADMINISTRATIVE;
    /// Ask the Discovery API. A query is sent as a POST, so it is never sent again.
    QueryMetadata "query_metadata" needs Viewer, Read, METADATA;
    /// Ask the Semantic Layer API. As above.
    QuerySemanticLayer "query_semantic_layer" needs Viewer, Read, SEMANTIC_LAYER;
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
    /// List a company's keys.
    ListApiKeys "list_api_keys" needs Admin, Read, OWN_RECORDS;
    /// Read one key, without its text.
    GetApiKey "get_api_key" needs Admin, Read, OWN_RECORDS;
    /// Make a caller's key.
    CreateApiKey "create_api_key" needs Admin, Change, OWN_RECORDS;
    /// Revoke a caller's key.
    RevokeApiKey "revoke_api_key" needs Admin, Change, OWN_RECORDS;
    /// List requests on record.
    ListRequestLogs "list_request_logs" needs Viewer, Read, OWN_RECORDS;
    /// Read one request on record.
    GetRequestLog "get_request_log" needs Viewer, Read, OWN_RECORDS;
    /// Read any number of requests on record.
    ExportRequestLogs "export_request_logs" needs Viewer, Read, OWN_RECORDS;
    /// Count requests on record, and how long they took.
    SummarizeRequestLogs "summarize_request_logs" needs Viewer, Read, OWN_RECORDS;
    /// Read the metrics of the process.
    GetMetrics "get_metrics" needs Admin, Read, OWN_RECORDS;
    /// Make a company; by command only.
    CreateCompany "create_company" needs Admin, Change, OWN_RECORDS;
}

impl RequestType {
    /// What starts a run: the `run_id` of such a request's row is the run that it started.
    pub const STARTS_RUN: [Self; 3] = [Self::TriggerJob, Self::RetryRun, Self::RerunJob];

    /// Whether it may be sent to dbt Cloud again after a passing failure: a read may, but for those of GraphQL, which
    /// are POSTs.
    pub fn may_be_sent_again(self) -> bool {
        self.effect() == Effect::Read && self.client_type() == ADMINISTRATIVE
    }

    /// The request type with that spelling; that of [`Self::Forward`] does not tell what is forwarded.
    pub fn from_name(name: &str) -> Option<Self> {
        let own = Self::ALL.iter().copied().find(|own| own.as_str() == name);
        let relayed = || RelayedOperation::named(name).map(Self::Relayed);
        let forward = || (name == FORWARD).then_some(Self::Forward(Forwarded::Change));
        own.or_else(relayed).or_else(forward)
    }

    /// What the gate calls that operation: the same as on a route of ours, where there is one.
    pub fn relayed(operation: RelayedOperation) -> Self {
        static RELAYED: LazyLock<Vec<RequestType>> = LazyLock::new(|| {
            let names = RelayedOperation::all().map(RelayedOperation::as_str);
            names.filter_map(RequestType::from_name).collect()
        });
        RELAYED
            .get(operation.place())
            .copied()
            .unwrap_or(Self::Relayed(operation))
    }

    /// Whether its answer shows a new dbt token.
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
            assert!(
                request_type.effect() == Effect::Read || request_type.needs() > Role::Viewer,
                "{request_type}"
            );
        }
    }
}
