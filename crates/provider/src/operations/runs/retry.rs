//! Retrying a run from its point of failure.

use dbt_api::ApiError;
use model::{ClientContext, RequestType, RetryPlan, RetryPreview, Run, RunId, StartOptions, StartedRun};
use serde_json::{Value, json};
use storage::{Attempt, StartKind};

use super::cancel::is_state_conflict;
use crate::engine::starts::{Starter, Subject};
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
    /// all if the run cannot be retried; if the answer is lost, the new run is looked for.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::CannotRetry`], [`ProviderError::TriggerUnresolved`], those of a repeated
    /// request.
    pub async fn retry_run(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        options: StartOptions,
    ) -> Result<StartedRun, ProviderError> {
        let starter = self.starter();
        let new = Subject::without_body(StartKind::Retry, None, Some(run_id)).attempt(&ctx, &starter.settings);
        let fields = json!({ "run_id": run_id });
        let key = options.idempotency_key.map(|key| starter.key(&ctx, key, fields));
        let row = args!(run_id).run(run_id).keyed(key.as_ref());
        self.provider_request(ctx, row, move |call| async move {
            let (starter, call) = (&starter, &call);
            let retrying = move |attempt| async move { retry(starter, call, &attempt, run_id).await };
            starter.attempt(call, &new, key.as_ref(), retrying).await
        })
        .await
    }
}

async fn retry(starter: &Starter, call: &Call, attempt: &Attempt, run_id: RunId) -> Result<StartedRun, ProviderError> {
    let cannot = |reason| ProviderError::CannotRetry { run: run_id, reason };
    let run = match read(call, run_id, Why::BeforeChange).await {
        Ok(run) => run,
        Err(error) => return Err(starter.not_sent(attempt, error).await),
    };
    if run.can_retry == Some(false) {
        return Err(starter.not_sent(attempt, cannot(run.retry_not_supported_reason)).await);
    }
    let sent = starter.send(call, RequestType::RetryRun, attempt, move |api, to| {
        let answer = api.retry_run(to, run_id);
        async move {
            match answer.await {
                // dbt Cloud may return the old run instead of refusing.
                Ok(answer) if answer.data.id == run_id => Err(ApiError::InvalidRequest {
                    message: answer
                        .data
                        .retry_not_supported_reason
                        .unwrap_or_else(|| OLD_RUN.to_owned()),
                    fields: None,
                }),
                other => other,
            }
        }
    });
    sent.await.map_err(|error| match error {
        ProviderError::Api(refusal) if is_state_conflict(&refusal) => {
            cannot(Some(reason_of(&refusal)).filter(|reason| reason != OLD_RUN))
        }
        error => error,
    })
}

/// dbt Cloud's answer to a retry that it does not make, where it gives no reason.
const OLD_RUN: &str = "dbt Cloud returned the same run";

async fn read(call: &Call, run_id: RunId, why: Why) -> Result<Run, ProviderError> {
    call.exchange_for_run(run_id, RequestType::GetRun, why, move |api, to| {
        api.get_run(to, run_id, &[])
    })
    .await
}

/// dbt Cloud's code (`RETRY_NOT_LATEST_RUN`) where the fields have one, else its text.
fn reason_of(refusal: &ApiError) -> String {
    let (message, fields) = match refusal {
        ApiError::InvalidRequest { message, fields }
        | ApiError::UnprocessableEntity { message, fields }
        | ApiError::Rejected { message, fields, .. } => (message.clone(), fields.as_ref()),
        other => (other.to_string(), None),
    };
    let word = fields.and_then(|fields| fields.get("retry_not_supported_reason"));
    word.and_then(Value::as_str).map_or(message, str::to_owned)
}
