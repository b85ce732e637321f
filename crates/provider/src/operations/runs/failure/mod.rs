//! Why a run failed: the step, its nodes with their messages, the end of its log, and what is not available.

mod excerpt;
mod nodes;

use dbt_api::ApiError;
use model::{ClientContext, FailedNodes, ReportPart, RequestType, RunFailure, RunId, RunRelated, RunStep, Verdict};

use super::dbt_command;
use crate::engine::{Call, args};
use crate::exchanges::Why;
use crate::{DbtProvider, FailureSettings, ProviderError};

impl DbtProvider {
    /// Why a run failed. What dbt Cloud does not have, or what is too large or unreadable, is listed as not available; any
    /// other failure is an error.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_run_failure(&self, ctx: ClientContext, run_id: RunId) -> Result<RunFailure, ProviderError> {
        let limits = self.settings.run_failure;
        self.provider_request(ctx, args!(run_id).run(run_id), move |call| async move {
            let run = call
                .exchange_for_run(run_id, RequestType::GetRun, Why::Asked, move |api, to| {
                    api.get_run(to, run_id, &[RunRelated::RunSteps])
                })
                .await?;
            let steps = run.steps();
            let mut failure = RunFailure::new(run);
            let Ok(steps) = steps else {
                failure.lacks(ReportPart::Step, "dbt Cloud sends no readable list of the run's steps.");
                return Ok(failure);
            };
            match failing_step(&failure, &steps) {
                Ok(None) => {}
                Ok(Some(index)) => {
                    let (step, later) = (&steps[index], &steps[index + 1..]);
                    let skipped = later.iter().filter(|step| step.is_skipped());
                    failure.skipped_steps = skipped.filter_map(|step| step.name.clone()).collect();
                    match results(&call, run_id, step, &limits).await? {
                        Ok(nodes) => failure.results = Some(nodes),
                        Err(why) => failure.lacks(ReportPart::Results, why),
                    }
                    let log = excerpt::plain(step.logs.as_deref().unwrap_or_default());
                    if log.trim().is_empty() {
                        failure.lacks(
                            ReportPart::Log,
                            "dbt Cloud shows no log of the step; it may come a moment after the step's end.",
                        );
                    } else {
                        failure.log_tail = Some(excerpt::tail(&log, limits.log_tail_bytes));
                    }
                    failure.step = Some(step.into());
                }
                Err(why) => failure.lacks(ReportPart::Step, why),
            }
            Ok(failure)
        })
        .await
    }
}

/// The index of the step that failed or was cancelled, or why there is none; `Ok(None)` for a run that succeeded.
fn failing_step(failure: &RunFailure, steps: &[RunStep]) -> Result<Option<usize>, &'static str> {
    // The last one: a step whose failure does not end the run (`dbt source freshness`) may precede it.
    let failed = || steps.iter().rposition(RunStep::has_failed);
    // Of the cancelled steps, the first was in progress.
    let cancelled = || steps.iter().position(RunStep::is_cancelled);
    let found = match failure.verdict {
        Verdict::Succeeded => return Ok(None),
        Verdict::Unfinished => return Err("The run has not ended."),
        Verdict::Cancelled if failure.started_at.is_none() => {
            return Err("The run was cancelled before its first step began.");
        }
        Verdict::Cancelled => cancelled().or_else(failed),
        Verdict::Failed => failed().or_else(cancelled),
    };
    found.map(Some).ok_or("dbt Cloud names no step that failed.")
}

/// The failed nodes of the step, or why they are unavailable.
async fn results(
    call: &Call,
    run_id: RunId,
    step: &RunStep,
    limits: &FailureSettings,
) -> Result<Result<FailedNodes, String>, ProviderError> {
    let Some(command) = step.command() else {
        return Ok(Err("The step runs no dbt command, so it has no results.".to_owned()));
    };
    let Some(file) = dbt_command::results_file(command) else {
        return Ok(Err(format!("`{command}` leaves no results.")));
    };
    let Some(index) = step.index else {
        return Ok(Err("dbt Cloud does not say which number the step has.".to_owned()));
    };
    let read = call
        .exchange(RequestType::GetRunArtifact, Why::Asked, move |api, to| {
            api.get_run_results(to, run_id, index, file)
        })
        .await;
    let path = file.path();
    Ok(match read {
        Ok(found) => {
            let written = found.metadata.as_ref().and_then(|metadata| metadata.generated_at);
            if written
                .zip(step.started_at)
                .is_some_and(|(written, started)| written < started)
            {
                Err(format!("dbt Cloud has only the `{path}` of an earlier step."))
            } else {
                Ok(nodes::failed(file, &found.results, limits))
            }
        }
        Err(ApiError::NotFound { .. }) if step.is_cancelled() => {
            Err(format!("dbt Cloud has no `{path}` of the step, which was cancelled."))
        }
        Err(ApiError::NotFound { .. }) => Err(format!("dbt Cloud has no `{path}` of the step.")),
        Err(ApiError::TooLarge { limit_bytes, .. }) => Err(format!(
            "The step's `{path}` is too large: over {limit_bytes} bytes (upstream.max_body_bytes)."
        )),
        Err(ApiError::Decode { .. }) => Err(format!("The step's `{path}` cannot be read.")),
        Err(error) => return Err(error.into()),
    })
}
