//! Jobs, and the runs they start.

use garde::Validate;
use model::{CAUSE_MAX_CHARS, JobId, TriggerJob};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::extract::{Dbt, Id, JsonBody, QueryParams};
use crate::problem::Problem;
use crate::routes::{AccountQuery, Started};
use crate::views::RunView;

/// What to run, and why. Fields left out stay as the job defines them.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"cause": "Orders were reloaded", "git_branch": "main", "steps_override": ["dbt build --select orders+"]}))]
pub(crate) struct TriggerJobBody {
    /// Why the run is started. 1 to 255 characters.
    #[garde(length(chars, min = 1, max = CAUSE_MAX_CHARS))]
    #[schema(min_length = 1, max_length = 255)]
    cause: String,
    /// The commit to check out.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    git_sha: Option<String>,
    /// The branch to check out.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    git_branch: Option<String>,
    /// A pull request makes the run a CI run: it runs beside others of its job.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    azure_pull_request_id: Option<i64>,
    /// As above, on GitHub.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    github_pull_request_id: Option<i64>,
    /// As above, a merge request on GitLab.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    gitlab_merge_request_id: Option<i64>,
    /// As above, elsewhere.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    non_native_pull_request_id: Option<i64>,
    /// The schema to build into.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    schema_override: Option<String>,
    /// The dbt version to run with.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    dbt_version_override: Option<String>,
    /// How many models are built at once: 1 to 1024.
    #[garde(inner(range(min = 1, max = 1024)))]
    #[schema(minimum = 1, maximum = 1024)]
    threads_override: Option<i64>,
    /// The target to run against.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1)]
    target_name_override: Option<String>,
    /// Whether to generate docs.
    #[garde(skip)]
    generate_docs_override: Option<bool>,
    /// After how many seconds dbt Cloud cancels the run: 0 to 2592000, which is 30 days; 0 means never.
    #[garde(inner(range(min = 0, max = 2_592_000)))]
    #[schema(minimum = 0, maximum = 2_592_000)]
    timeout_seconds_override: Option<i64>,
    /// The commands to run instead of the job's.
    #[garde(inner(length(min = 1), inner(length(chars, min = 1))))]
    #[schema(min_items = 1)]
    steps_override: Option<Vec<String>>,
}

impl From<TriggerJobBody> for TriggerJob {
    fn from(body: TriggerJobBody) -> Self {
        Self {
            cause: body.cause,
            git_sha: body.git_sha,
            git_branch: body.git_branch,
            azure_pull_request_id: body.azure_pull_request_id,
            github_pull_request_id: body.github_pull_request_id,
            gitlab_merge_request_id: body.gitlab_merge_request_id,
            non_native_pull_request_id: body.non_native_pull_request_id,
            schema_override: body.schema_override,
            dbt_version_override: body.dbt_version_override,
            threads_override: body.threads_override,
            target_name_override: body.target_name_override,
            generate_docs_override: body.generate_docs_override,
            timeout_seconds_override: body.timeout_seconds_override,
            steps_override: body.steps_override,
        }
    }
}

/// Start a run of a job
///
/// Not idempotent: every accepted call starts a run. The gateway sends it to dbt Cloud at most once; after a 502 or 504
/// the run may have started, so look at the job's runs before you repeat it.
#[utoipa::path(post, path = "/jobs/{job_id}/runs", operation_id = "trigger_job", tag = "jobs",
    params(("job_id" = i64, Path, description = "The job's id."), AccountQuery), request_body = TriggerJobBody,
    responses(
        (status = 201, body = RunView, headers(("location" = String, description = "Where the run can be read.")))))]
pub(crate) async fn trigger_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    QueryParams(account): QueryParams<AccountQuery>,
    JsonBody(order): JsonBody<TriggerJobBody>,
) -> Result<Started, Problem> {
    let query = account.clone();
    Ok(Started::new(
        client.trigger_job(account, job, order.into()).await?,
        &query,
    ))
}
