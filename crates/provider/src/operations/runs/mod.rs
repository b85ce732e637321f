//! Runs: single executions of jobs.

mod cancel;
mod dbt_command;
mod failure;
mod progress;
mod retry;
mod step;
mod watch;

pub use watch::{Look, Looked, ReadFirst, RunToLookAt};

use dbt_api::WrappedApi;
use model::{ClientContext, Page, PageQuery, RequestType, Run, RunFilter, RunId, RunRelated, RunStep};

use crate::engine::args;
use crate::exchanges::Why;
use crate::{DbtProvider, Listing, ProviderError};

impl DbtProvider {
    /// A page of the account's runs.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_runs(
        &self,
        ctx: ClientContext,
        filter: RunFilter,
        page: PageQuery,
    ) -> Result<Listing<Run>, ProviderError> {
        let subject = args!(filter, page).job(filter.job_id);
        self.provider_list(ctx, subject, page, filter, <dyn WrappedApi>::list_runs)
            .await
    }

    /// One run, with the related objects.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_run(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        related: Vec<RunRelated>,
    ) -> Result<Run, ProviderError> {
        self.provider_request(ctx, args!(run_id, related).run(run_id), move |call| async move {
            let related = &related;
            call.exchange_for_run(run_id, RequestType::GetRun, Why::Asked, move |api, to| {
                api.get_run(to, run_id, related)
            })
            .await
        })
        .await
    }

    /// A page of a run's steps with their logs. dbt Cloud sends all steps in one answer; `debug_logs` requests the debug
    /// logs untruncated.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn list_run_steps(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        debug_logs: bool,
        page: PageQuery,
    ) -> Result<Page<RunStep>, ProviderError> {
        let subject = args!(run_id, debug_logs, page).run(run_id);
        self.provider_request(ctx, subject, move |call| async move {
            let steps = call
                .exchange_for_run(run_id, RequestType::ListRunSteps, Why::Asked, move |api, to| {
                    api.list_run_steps(to, run_id, debug_logs)
                })
                .await?;
            Ok(Page::from_full_list(page, steps))
        })
        .await
    }
}
