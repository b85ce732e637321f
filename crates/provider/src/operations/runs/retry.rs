//! Retrying a run from its point of failure.

use dbt_api::ApiError;
use model::{ClientContext, RequestType, RetryPlan, RetryPreview, Run, RunId};
use serde_json::Value;

use super::cancel::is_state_conflict;
use crate::engine::{Call, args};
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// Whether a run can be retried, and what a retry would run.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_retry_preview(&self, ctx: ClientContext, run_id: RunId) -> Result<RetryPreview, ProviderError> {
        self.provider_request(ctx, args!(run_id).run(run_id), move |call| async move {
            let run = read(&call, run_id, Why::Asked).await?;
            let plan = if run.can_retry == Some(false) {
                None
            } else {
                call.ask(move |api, to| api.get_retry_preview(to, run_id)).await?
            };
            let (failed_step, skipped_steps) =
                plan.map_or((None, None), |plan: RetryPlan| (plan.failed_step, plan.skipped_steps));
            Ok(RetryPreview {
                run_id,
                can_retry: run.can_retry,
                retry_not_supported_reason: run.retry_not_supported_reason,
                failed_step,
                skipped_steps: skipped_steps.unwrap_or_default(),
            })
        })
        .await
    }

    /// Starts a new run from the point of failure of this one and returns it. Sent to dbt Cloud at most once, and not at
    /// all if the run cannot be retried.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::CannotRetry`]. After a timeout or a broken connection the run may have
    /// started.
    pub async fn retry_run(&self, ctx: ClientContext, run_id: RunId) -> Result<Run, ProviderError> {
        self.provider_request(ctx, args!(run_id).run(run_id), move |call| async move {
            let cannot = |reason| Err(ProviderError::CannotRetry { run: run_id, reason });
            let run = read(&call, run_id, Why::BeforeChange).await?;
            if run.can_retry == Some(false) {
                return cannot(run.retry_not_supported_reason);
            }
            let started = call
                .exchange(RequestType::RetryRun, Why::Asked, move |api, to| {
                    api.retry_run(to, run_id)
                })
                .await;
            match started {
                // dbt Cloud may return the old run instead of refusing.
                Ok(run) if run.id == run_id => cannot(run.retry_not_supported_reason),
                Ok(run) => {
                    call.set_run(run.id);
                    Ok(run)
                }
                Err(refusal) if is_state_conflict(&refusal) => cannot(Some(reason_of(&refusal))),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }
}

async fn read(call: &Call, run_id: RunId, why: Why) -> Result<Run, ProviderError> {
    call.exchange_for_run(run_id, RequestType::GetRun, why, move |api, to| {
        api.get_run(to, run_id, &[])
    })
    .await
}

/// dbt Cloud's code (`RETRY_NOT_LATEST_RUN`) where the fields have one, else its text.
fn reason_of(refusal: &ApiError) -> String {
    let (message, fields) = match refusal {
        ApiError::InvalidRequest { message, fields } | ApiError::UnprocessableEntity { message, fields } => {
            (message.clone(), fields.as_ref())
        }
        other => (other.to_string(), None),
    };
    let word = fields.and_then(|fields| fields.get("retry_not_supported_reason"));
    word.and_then(Value::as_str).map_or(message, str::to_owned)
}
