//! Runs: single executions of jobs.

use model::{ClientContext, Page, PageQuery, RequestType, Run, RunFilter, RunId, RunRelated, RunStep};

use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError, gather};

impl DbtProvider {
    /// The page of the account's runs that was asked for, gathered from dbt's pages of 100.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_runs(
        &self,
        ctx: ClientContext,
        filter: RunFilter,
        page: PageQuery,
    ) -> Result<Page<Run>, ProviderError> {
        let asked = Asked {
            args: args!(filter, page),
            job_id: filter.job_id,
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let filter = &filter;
            let fetch = |slice, why| {
                call.exchange(RequestType::ListRuns, why, move |api, to| {
                    api.list_runs(to, filter, slice)
                })
            };
            Ok(gather::page(page, call.gather_concurrency, |run: &Run| run.id, fetch).await?)
        })
        .await
    }

    /// One run, with what is asked for besides.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_run(
        &self,
        ctx: ClientContext,
        run_id: RunId,
        related: Vec<RunRelated>,
    ) -> Result<Run, ProviderError> {
        let asked = Asked {
            args: args!(run_id, related),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let related = &related;
            call.exchange_for_run(run_id, RequestType::GetRun, Why::Asked, move |api, to| {
                api.get_run(to, run_id, related)
            })
            .await
        })
        .await
    }

    /// The page of a run's steps that was asked for, with their logs. dbt Cloud sends all steps at once; `debug_logs` asks
    /// for the debug logs whole.
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
        let asked = Asked {
            args: args!(run_id, debug_logs, page),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
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
