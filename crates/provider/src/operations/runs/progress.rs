//! How far a run is.

use model::{
    ClientContext, JobId, RequestType, RunFilter, RunId, RunOrder, RunProgress, RunRelated, RunStatus, Slice,
    UsualDuration,
};

use crate::engine::{Call, args};
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError};

/// Runs from which the usual duration is taken.
const USUAL_OF: u32 = 20;
/// Fewer known durations than these are no usual one: dbt Cloud is asked.
const ENOUGH: usize = 5;

impl DbtProvider {
    /// How far a run is, and when it probably ends. `known`: the seconds of the job's last runs that succeeded, as far as the
    /// gateway has seen them; if these are few, dbt Cloud's list is read.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_run_progress<Known>(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        known: impl FnOnce(JobId) -> Known + Send + 'static,
    ) -> Result<RunProgress, ProviderError>
    where
        Known: Future<Output = Vec<f64>> + Send + 'static,
    {
        let clock = std::sync::Arc::clone(&self.clock);
        self.provider_request(ctx, args!(run_id).run(run_id), move |call| async move {
            let run = call
                .exchange_for_run(run_id, RequestType::GetRun, Why::Asked, move |api, to| {
                    api.get_run(to, run_id, &[RunRelated::RunSteps])
                })
                .await?;
            let usual = match run.job_definition_id.or(run.job_id) {
                Some(job) => usual(&call, job, known(job).await).await,
                None => None,
            };
            Ok(run.progress(usual, clock.now()))
        })
        .await
    }
}

async fn usual(call: &Call, job: JobId, known: Vec<f64>) -> Option<UsualDuration> {
    if known.len() >= ENOUGH {
        return UsualDuration::of(known);
    }
    let filter = RunFilter {
        job_id: Some(job),
        status: vec![RunStatus::Success],
        order_by: RunOrder::NewestFirst,
        ..RunFilter::default()
    };
    let (filter, slice) = (
        &filter,
        Slice {
            offset: 0,
            limit: USUAL_OF,
        },
    );
    let listed = call.exchange(RequestType::ListRuns, Why::LookUp, move |api, to| {
        api.list_runs(to, filter, slice)
    });
    match listed.await {
        Ok(listed) => UsualDuration::of(listed.items.iter().filter_map(model::Run::secs_of_success).collect()),
        Err(error) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the usual duration of a job is not known"
            );
            UsualDuration::of(known)
        }
    }
}
