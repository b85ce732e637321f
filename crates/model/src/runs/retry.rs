//! The retry of a run.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{RunId, lenient};

lenient::part! {
    /// dbt Cloud's answer to "Retrieve Run Failure Details".
    pub struct RetryPlan {
        failed_step: String,
        skipped_steps: Vec<String>,
    }
}

/// Whether a run can be retried, and what a retry would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": 70_403_104_000_902_i64, "can_retry": true, "retry_not_supported_reason": null,
    "failed_step": "Invoke dbt with `dbt build`", "skipped_steps": ["Invoke dbt with `dbt docs generate`"]
}))]
#[expect(missing_docs, reason = "the id of the run")]
pub struct RetryPreview {
    #[schema(value_type = i64)]
    pub run_id: RunId,
    /// Null where dbt Cloud does not say.
    pub can_retry: Option<bool>,
    /// Why not: `RETRY_NOT_LATEST_RUN`, `RETRY_NOT_FAILED_RUN`, `RETRY_NO_RUN_RESULTS`, `RETRY_UNSUPPORTED_CMD`,
    /// `RETRY_UNSUPPORTED_VERSION`, or a word that dbt Cloud adds.
    pub retry_not_supported_reason: Option<String>,
    /// The name of the step that failed and would run again.
    pub failed_step: Option<String>,
    /// The names of the later steps, which would run then.
    pub skipped_steps: Vec<String>,
}
