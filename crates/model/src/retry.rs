//! What a retry of a run would do.

use crate::{RunId, lenient};

lenient::part! {
    /// What dbt Cloud would run again: the answer to "Retrieve Run Failure Details".
    pub struct RetryPlan {
        failed_step: String,
        skipped_steps: Vec<String>,
    }
}

/// Whether a run can be retried, and what a retry would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPreview {
    /// The run.
    pub run_id: RunId,
    /// Whether it can be retried; `None` where dbt Cloud does not say.
    pub can_retry: Option<bool>,
    /// Why it cannot: dbt Cloud's word, `RETRY_NOT_LATEST_RUN`.
    pub retry_not_supported_reason: Option<String>,
    /// The step that failed, by its name.
    pub failed_step: Option<String>,
    /// The steps after it, which did not run.
    pub skipped_steps: Vec<String>,
}
