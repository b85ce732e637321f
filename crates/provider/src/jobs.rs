//! Jobs: the definitions, and what starts a run of one.

use model::{
    ClientContext, Job, JobFields, JobFilter, JobId, JobRelated, Page, PageQuery, RequestType, Run, TriggerJob,
};

use crate::exchanges::Why;
use crate::gather::gather;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError, job_definition};

impl DbtProvider {
    /// The page of the account's jobs that was asked for, gathered from dbt's pages of 100.
    ///
    /// An exact `name` is compared here, over all jobs whose name contains it, since dbt Cloud cannot.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_jobs(
        &self,
        ctx: ClientContext,
        filter: JobFilter,
        page: PageQuery,
    ) -> Result<Page<Job>, ProviderError> {
        let asked = Asked {
            args: args!(filter, page),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let filter = &filter;
            let fetch = |slice, why| {
                call.exchange(RequestType::ListJobs, why, move |api, to| {
                    api.list_jobs(to, filter, slice)
                })
            };
            let id = |job: &Job| job.id;
            let name = filter.name.as_ref();
            let named = name.map(|name| move |job: &Job| job.name.as_ref() == Some(name));
            Ok(gather(page, call.gather_concurrency, id, named, fetch).await?)
        })
        .await
    }

    /// One job, with what is asked for besides.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        related: Vec<JobRelated>,
    ) -> Result<Job, ProviderError> {
        let asked = Asked {
            args: args!(job_id, related),
            job_id: Some(job_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let related = &related;
            Ok(call
                .exchange(RequestType::GetJob, Why::Asked, move |api, to| {
                    api.get_job(to, job_id, related)
                })
                .await?)
        })
        .await
    }

    /// Defines a job: the fields that the caller gives, and the specification's defaults for what it requires besides.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the job may be there all the same.
    pub async fn create_job(&self, ctx: ClientContext, fields: JobFields) -> Result<Job, ProviderError> {
        let asked = Asked {
            args: args!(fields),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let whole = &job_definition::new(&fields);
            let job = call
                .exchange(RequestType::CreateJob, Why::Asked, move |api, to| {
                    api.create_job(to, whole)
                })
                .await?;
            call.set_job(job.id);
            Ok(job)
        })
        .await
    }

    /// Changes a job's definition: reads it, merges the changes, and writes it whole, since dbt Cloud takes nothing less.
    ///
    /// What somebody else changes between the reading and the writing is overwritten: dbt Cloud offers no way to notice.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the job may have changed all the same.
    pub async fn update_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        changes: JobFields,
    ) -> Result<Job, ProviderError> {
        let asked = Asked {
            args: args!(job_id, changes),
            job_id: Some(job_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let current = call
                .exchange(RequestType::GetJob, Why::BeforeChange, move |api, to| {
                    api.get_job_fields(to, job_id)
                })
                .await?;
            let whole = &job_definition::changed(current, &changes);
            Ok(call
                .exchange(RequestType::UpdateJob, Why::Asked, move |api, to| {
                    api.update_job(to, job_id, whole)
                })
                .await?)
        })
        .await
    }

    /// Deletes a job.
    ///
    /// # Errors
    /// [`ProviderError`]. After a timeout or a broken connection the job may be gone all the same.
    pub async fn delete_job(&self, ctx: ClientContext, job_id: JobId) -> Result<(), ProviderError> {
        let asked = Asked {
            args: args!(job_id),
            job_id: Some(job_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            Ok(call
                .exchange(RequestType::DeleteJob, Why::Asked, move |api, to| {
                    api.delete_job(to, job_id)
                })
                .await?)
        })
        .await
    }

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
            call.set_run(run.id);
            Ok(run)
        })
        .await
    }
}
