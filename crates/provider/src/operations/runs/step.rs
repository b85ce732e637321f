//! Finds the step and the run of an artifact request.

use model::{ArtifactStep, JobId, RequestType, RunFilter, RunId, RunStatus, RunStep, Slice};

use super::dbt_command;
use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

impl Call {
    /// The index of the step; `None` leaves the choice to dbt Cloud. It uses the last step, which is
    /// `dbt docs generate` for a job that generates docs: its `run_results.json` does not cover the build before it.
    ///
    /// # Errors
    /// Those of the look-up; [`ProviderError::NoResultsStep`].
    pub(crate) async fn step_index(
        &self,
        run: RunId,
        step: Option<ArtifactStep>,
    ) -> Result<Option<u32>, ProviderError> {
        match step {
            None => Ok(None),
            Some(ArtifactStep::Index(index)) => Ok(Some(index)),
            Some(ArtifactStep::Results) => {
                let steps = self
                    .exchange_for_run(run, RequestType::ListRunSteps, Why::LookUp, move |api, to| {
                        api.list_run_steps(to, run, false)
                    })
                    .await?;
                let build_step = steps.iter().rev().find(|step| has_built(step));
                let index = build_step.and_then(|step| step.index);
                index.map(Some).ok_or(ProviderError::NoResultsStep(run))
            }
        }
    }

    /// The job's latest run that succeeded or failed.
    ///
    /// # Errors
    /// Those of the look-up; [`ProviderError::NoEndedRun`].
    pub(crate) async fn latest_ended_run(&self, job: JobId) -> Result<RunId, ProviderError> {
        let filter = &RunFilter {
            job_id: Some(job),
            status: vec![RunStatus::Success, RunStatus::Error],
            ..RunFilter::default()
        };
        let one = Slice { offset: 0, limit: 1 };
        let listed = self
            .exchange(RequestType::ListRuns, Why::LookUp, move |api, to| {
                api.list_runs(to, filter, one)
            })
            .await?;
        let run = listed.items.first().ok_or(ProviderError::NoEndedRun(job))?;
        self.set_run(run.id);
        Ok(run.id)
    }
}

fn has_built(step: &RunStep) -> bool {
    step.has_begun() && step.command().is_some_and(dbt_command::builds)
}
