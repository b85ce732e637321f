//! Cancelling a run.

use dbt_api::ApiError;
use http::StatusCode;
use model::{ClientContext, RequestType, Run, RunId, RunStatus};

use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// Cancels a run, which then ends a moment later. A run that is being cancelled, or was, stays so; one that is over
    /// is looked at first and left alone, since what dbt Cloud does then is documented nowhere.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::RunFinished`] when the run ended before it could be cancelled.
    pub async fn cancel_run(&self, ctx: ClientContext, run_id: RunId) -> Result<Run, ProviderError> {
        let asked = Asked {
            args: args!(run_id),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
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
                Err(refusal) if is_about_the_state(&refusal) => match read(Why::AfterRefusal).await {
                    Ok(run) if run.status.is_some_and(RunStatus::is_terminal) => unfinished(run),
                    _ => Err(refusal.into()),
                },
                Err(error) => Err(error.into()),
            }
        })
        .await
    }
}

/// The run, unless it ended by itself.
fn unfinished(run: Run) -> Result<Run, ProviderError> {
    match run.status {
        Some(status @ (RunStatus::Success | RunStatus::Error)) => {
            Err(ProviderError::RunFinished { run: run.id, status })
        }
        _ => Ok(run),
    }
}

/// Whether dbt Cloud may have refused because of the state the run is in: there is no body that could be wrong.
pub(crate) fn is_about_the_state(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::InvalidRequest { .. }
            | ApiError::UnprocessableEntity { .. }
            | ApiError::UnexpectedStatus {
                status: StatusCode::CONFLICT,
                ..
            }
    )
}
