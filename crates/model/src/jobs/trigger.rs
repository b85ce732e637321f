//! The trigger of a job.

use serde::{Deserialize, Serialize};

/// The longest `cause` that dbt Cloud's own clients send, in characters; the specification names no limit.
pub const CAUSE_MAX_CHARS: usize = 255;

/// The body of "Trigger Job Run" (Administrative API v2), all 14 fields. Absent fields are not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the fields are dbt Cloud's, spelled and meant as its specification says"
)]
pub struct TriggerJob {
    /// Why the run is started: 1 to [`CAUSE_MAX_CHARS`] characters.
    pub cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_sha: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_pull_request_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_pull_request_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitlab_merge_request_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_native_pull_request_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_override: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dbt_version_override: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads_override: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name_override: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate_docs_override: Option<bool>,
    /// In seconds; 0 means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds_override: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_override: Option<Vec<String>>,
}
