//! Jobs: the definitions, and what starts a run of one.

mod definition;
mod start;

use dbt_api::WrappedApi;
use model::{
    ClientContext, IdempotencyKey, Job, JobFields, JobFilter, JobId, JobRelated, PageQuery, Repeatable, RequestType,
};
use serde_json::json;

use crate::engine::args;
use crate::engine::starts::AfterLoss;
use crate::exchanges::Why;
use crate::{DbtProvider, Listing, ProviderError};

impl DbtProvider {
    /// A page of the account's jobs.
    ///
    /// # Errors
    /// [`ProviderError`]: until the page begins, a missing part is an error.
    pub async fn list_jobs(
        &self,
        ctx: ClientContext,
        filter: JobFilter,
        page: PageQuery,
    ) -> Result<Listing<Job>, ProviderError> {
        let subject = args!(filter, page);
        self.provider_list(ctx, subject, page, filter, <dyn WrappedApi>::list_jobs)
            .await
    }

    /// One job, with the related objects.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        related: Vec<JobRelated>,
    ) -> Result<Job, ProviderError> {
        self.provider_request(ctx, args!(job_id, related).job(job_id), move |call| async move {
            let related = &related;
            call.ask(move |api, to| api.get_job(to, job_id, related)).await
        })
        .await
    }

    /// Creates a job from the given fields, with the specification's defaults for the other required ones.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the job may exist.
    pub async fn create_job(
        &self,
        ctx: ClientContext,
        fields: JobFields,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<Repeatable<Job>, ProviderError> {
        let starter = self.starter();
        let key = idempotency_key.map(|key| starter.key(&ctx, key, json!(fields)));
        let row = args!(fields).keyed(key.as_ref());
        self.provider_request(ctx, row, move |call| async move {
            let creating = async {
                let whole = &definition::new(&fields);
                call.ask(move |api, to| api.create_job(to, whole)).await
            };
            let created = starter.once(key, 201, AfterLoss::Refuse, Box::pin(creating)).await?;
            call.set_job(created.value.id);
            Ok(created)
        })
        .await
    }

    /// Changes a job: reads it, merges the changes, and writes the whole definition, since dbt Cloud accepts no less.
    ///
    /// A change by someone else between the read and the write is overwritten: dbt Cloud offers no way to detect it.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the job may have changed.
    pub async fn update_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        changes: JobFields,
    ) -> Result<Job, ProviderError> {
        self.provider_request(ctx, args!(job_id, changes).job(job_id), move |call| async move {
            let current = call
                .exchange(RequestType::GetJob, Why::BeforeChange, move |api, to| {
                    api.get_job_fields(to, job_id)
                })
                .await?;
            let whole = &definition::changed(current, &changes);
            call.ask(move |api, to| api.update_job(to, job_id, whole)).await
        })
        .await
    }

    /// Deletes a job.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the job may be deleted.
    pub async fn delete_job(&self, ctx: ClientContext, job_id: JobId) -> Result<(), ProviderError> {
        self.provider_request(ctx, args!(job_id).job(job_id), move |call| async move {
            call.ask(move |api, to| api.delete_job(to, job_id)).await
        })
        .await
    }
}
