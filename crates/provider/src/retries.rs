//! Runs that pick up where another failed.

use dbt_api::ApiError;
use model::{ClientContext, JobId, RequestType, RetryPlan, RetryPreview, Run, RunId};
use serde_json::Value;

use crate::call::Call;
use crate::cancel::is_about_the_state;
use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// Whether a run can be retried, and what a retry would run.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_retry_preview(&self, ctx: ClientContext, run_id: RunId) -> Result<RetryPreview, ProviderError> {
        let asked = Asked {
            args: args!(run_id),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let run = read(&call, run_id, Why::Asked).await?;
            let plan = if run.can_retry == Some(false) {
                None
            } else {
                call.exchange(RequestType::GetRetryPreview, Why::Asked, move |api, to| {
                    api.get_retry_preview(to, run_id)
                })
                .await?
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

    /// Starts a run from where that one failed, and answers the new run. Sent to dbt Cloud at most once, and not at all
    /// when the run says that it cannot be retried.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::CannotRetry`]. After a timeout or a broken connection the run may have been
    /// started.
    pub async fn retry_run(&self, ctx: ClientContext, run_id: RunId) -> Result<Run, ProviderError> {
        let asked = Asked {
            args: args!(run_id),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
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
                // dbt Cloud may hand back the old run instead of refusing.
                Ok(run) if run.id == run_id => cannot(run.retry_not_supported_reason),
                Ok(run) => {
                    call.set_run(run.id);
                    Ok(run)
                }
                Err(refusal) if is_about_the_state(&refusal) => cannot(Some(reason_of(&refusal))),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Starts a run of a job: from where its latest one failed, and a new one where that did not fail. Sent to dbt Cloud
    /// at most once, whatever happens.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the run may have been started.
    pub async fn rerun_job(&self, ctx: ClientContext, job_id: JobId) -> Result<Run, ProviderError> {
        let asked = Asked {
            args: args!(job_id),
            job_id: Some(job_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let run = call
                .exchange(RequestType::RerunJob, Why::Asked, move |api, to| {
                    api.rerun_job(to, job_id)
                })
                .await?;
            call.set_run(run.id);
            Ok(run)
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

/// dbt Cloud's word for it (`RETRY_NOT_LATEST_RUN`), wherever it stands among the fields; else its text.
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
