//! What a retry would do.

use model::RetryPreview;
use serde::Serialize;
use utoipa::ToSchema;

/// Whether a run can be retried, and what a retry would run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": 70_403_110_000_001_i64, "can_retry": true, "retry_not_supported_reason": null,
    "failed_step": "Invoke dbt with `dbt build`", "skipped_steps": ["Invoke dbt with `dbt docs generate`"]
}))]
pub(crate) struct RetryPreviewView {
    run_id: i64,
    /// Null where dbt Cloud does not say.
    can_retry: Option<bool>,
    /// Why not: `RETRY_NOT_LATEST_RUN`, `RETRY_NOT_FAILED_RUN`, `RETRY_NO_RUN_RESULTS`, `RETRY_UNSUPPORTED_CMD`,
    /// `RETRY_UNSUPPORTED_VERSION`, or a word that dbt Cloud adds.
    retry_not_supported_reason: Option<String>,
    /// The step that failed and would run again, by its name.
    failed_step: Option<String>,
    /// The steps after it, which would run then.
    skipped_steps: Vec<String>,
}

impl From<RetryPreview> for RetryPreviewView {
    fn from(preview: RetryPreview) -> Self {
        Self {
            run_id: preview.run_id.into(),
            can_retry: preview.can_retry,
            retry_not_supported_reason: preview.retry_not_supported_reason,
            failed_step: preview.failed_step,
            skipped_steps: preview.skipped_steps,
        }
    }
}
