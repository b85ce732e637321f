//! Cancelling a run.

use dbt_api::ApiError;
use http::StatusCode;
use model::{ClientContext, IdempotencyKey, Repeatable, RequestType, Run, RunId, RunStatus};
use serde_json::json;

use crate::engine::starts::AfterLoss;
use crate::engine::{Call, args};
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// Cancels a run, which then ends a moment later. The run is read first: one that is already cancelled is returned as
    /// it is, and a finished one is left alone, since dbt Cloud's answer is not documented.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::RunFinished`] when the run ended before it could be cancelled.
    pub async fn cancel_run(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<Repeatable<Run>, ProviderError> {
        let starter = self.starter();
        let key = idempotency_key.map(|key| starter.key(&ctx, key, json!({ "run_id": run_id })));
        let row = args!(run_id).run(run_id).keyed(key.as_ref());
        self.provider_request(ctx, row, move |call| async move {
            let cancelling = Box::pin(cancel(&call, run_id));
            starter.once(key, 202, AfterLoss::SendAgain, cancelling).await
        })
        .await
    }
}

async fn cancel(call: &Call, run_id: RunId) -> Result<Run, ProviderError> {
    let read = |why| {
        call.exchange_for_run(run_id, RequestType::GetRun, why, move |api, to| {
            api.get_run(to, run_id, &[])
        })
    };
    let run = unfinished(read(Why::BeforeChange).await?)?;
    if run.status == Some(RunStatus::Cancelled) {
        return Ok(run);
    }
    let cancelled = call
        .exchange(RequestType::CancelRun, Why::Asked, move |api, to| {
            api.cancel_run(to, run_id)
        })
        .await;
    match cancelled {
        Ok(run) => unfinished(run),
        Err(refusal) if is_state_conflict(&refusal) => match read(Why::AfterRefusal).await {
            Ok(run) if run.status.is_some_and(RunStatus::is_terminal) => unfinished(run),
            _ => Err(refusal.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The run, unless it has finished by itself.
fn unfinished(run: Run) -> Result<Run, ProviderError> {
    match run.status {
        Some(status @ (RunStatus::Success | RunStatus::Error)) => {
            Err(ProviderError::RunFinished { run: run.id, status })
        }
        _ => Ok(run),
    }
}

/// Whether the refusal may be due to the run's state. The request has no body that could be invalid.
pub(super) fn is_state_conflict(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::InvalidRequest { .. }
            | ApiError::UnprocessableEntity { .. }
            | ApiError::Rejected {
                status: StatusCode::CONFLICT,
                ..
            }
    )
}
