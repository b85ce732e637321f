//! Jobs: the definitions, and what starts a run of one.

use model::{ClientContext, JobId, RequestType, Run, TriggerJob};

use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// Starts a run of a job. Sent to dbt Cloud at most once, whatever happens.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the run may have been started.
    pub async fn trigger_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        order: TriggerJob,
    ) -> Result<Run, ProviderError> {
        let asked = Asked {
            args: args!(job_id, order),
            job_id: Some(job_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let order = &order;
            let run = call
                .exchange(RequestType::TriggerJob, Why::Asked, move |api, to| {
                    api.trigger_job(to, job_id, order)
                })
                .await?;
            call.about_run(run.id);
            Ok(run)
        })
        .await
    }
}
