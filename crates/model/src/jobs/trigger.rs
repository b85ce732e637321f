//! The body of "Trigger Job Run" (Administrative API v2), with all 14 fields. Absent fields are not sent.

use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};

/// The longest `cause` that dbt Cloud's own clients send, in characters; the specification names no limit.
pub const CAUSE_MAX_CHARS: usize = 255;

/// The trigger of a job. Fields left out are as the job defines them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"cause": "Orders were reloaded", "git_branch": "main", "steps_override": ["dbt build --select orders+"]}))]
pub struct TriggerJob {
    /// Why the run is started. 1 to 255 characters.
    #[garde(length(chars, min = 1, max = CAUSE_MAX_CHARS))]
    #[schema(min_length = 1, max_length = 255)]
    pub cause: String,
    /// The commit to check out.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_sha: Option<String>,
    /// The branch to check out.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<String>,
    /// A pull request makes the run a CI run: it runs beside others of its job.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure_pull_request_id: Option<i64>,
    /// As above, on GitHub.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github_pull_request_id: Option<i64>,
    /// As above, a merge request on GitLab.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab_merge_request_id: Option<i64>,
    /// As above, elsewhere.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_native_pull_request_id: Option<i64>,
    /// The schema to build into.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_override: Option<String>,
    /// The dbt version to run with.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbt_version_override: Option<String>,
    /// How many models are built at once: 1 to 1024.
    #[garde(inner(range(min = 1, max = 1024)))]
    #[schema(minimum = 1, maximum = 1024)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads_override: Option<i64>,
    /// The target to run against.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_name_override: Option<String>,
    /// Whether to generate docs.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_docs_override: Option<bool>,
    /// After how many seconds dbt Cloud cancels the run: 0 to 2592000, which is 30 days; 0 means never.
    #[garde(inner(range(min = 0, max = 2_592_000)))]
    #[schema(minimum = 0, maximum = 2_592_000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds_override: Option<i64>,
    /// The commands to run instead of the job's.
    #[garde(inner(length(min = 1), inner(length(chars, min = 1))))]
    #[schema(schema_with = commands)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_override: Option<Vec<String>>,
}

/// At least one command, none of them empty; or null.
fn commands() -> RefOr<Schema> {
    let command = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let list = ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(command)
        .min_items(Some(1));
    list.description(Some("The commands to run instead of the job's."))
        .build()
        .into()
}
