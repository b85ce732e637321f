//! Jobs.

use model::{Job, JobFields, JobFilter, JobId, JobRelated, Page, PageQuery, RequestType, Run, Target, TriggerJob};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// A page of an account's jobs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_jobs(
        self,
        target: impl Into<Target>,
        filter: JobFilter,
        page: PageQuery,
    ) -> Result<Page<Job>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListJobs, target).await?;
        Ok(provider.list_jobs(ctx, filter, page).await?)
    }

    /// One job, with what is asked for besides.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_job(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        related: Vec<JobRelated>,
    ) -> Result<Job, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetJob, target).await?;
        Ok(provider.get_job(ctx, job_id, related).await?)
    }

    /// Defines a job. Not idempotent: every accepted call makes one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_job(self, target: impl Into<Target>, fields: JobFields) -> Result<Job, ClientError> {
        let (provider, ctx) = self.admit(RequestType::CreateJob, target).await?;
        Ok(provider.create_job(ctx, fields).await?)
    }

    /// Changes a job's definition: only the fields that are given, though a concurrent change may be overwritten.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn update_job(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        changes: JobFields,
    ) -> Result<Job, ClientError> {
        let (provider, ctx) = self.admit(RequestType::UpdateJob, target).await?;
        Ok(provider.update_job(ctx, job_id, changes).await?)
    }

    /// Deletes a job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_job(self, target: impl Into<Target>, job_id: JobId) -> Result<(), ClientError> {
        let (provider, ctx) = self.admit(RequestType::DeleteJob, target).await?;
        Ok(provider.delete_job(ctx, job_id).await?)
    }

    /// Starts a run of a job. Not idempotent: every accepted call starts a run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trigger_job(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        order: TriggerJob,
    ) -> Result<Run, ClientError> {
        let (provider, ctx) = self.admit(RequestType::TriggerJob, target).await?;
        Ok(provider.trigger_job(ctx, job_id, order).await?)
    }
}
