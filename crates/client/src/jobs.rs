//! Jobs.

use model::{
    IdempotencyKey, IfRunning, Job, JobFields, JobFilter, JobId, JobRelated, PageQuery, Repeatable, StartPreview,
    TriggerJob,
};
use provider::Listing;

crate::operations! {
    /// A page of an account's jobs.
    ListJobs => list_jobs(filter: JobFilter, page: PageQuery) -> Listing<Job>;
    /// One job, with the related objects.
    GetJob => get_job(job_id: JobId, related: Vec<JobRelated>) -> Job;
    /// Creates a job. Every accepted call creates one, unless it repeats an idempotency key.
    CreateJob => create_job(fields: JobFields, idempotency_key: Option<IdempotencyKey>) -> Repeatable<Job>;
    /// Changes the given fields of a job. A concurrent change may be overwritten.
    UpdateJob => update_job(job_id: JobId, changes: JobFields) -> Job;
    /// Deletes a job.
    DeleteJob => delete_job(job_id: JobId) -> ();
    /// What a trigger would do.
    PreviewTrigger => preview_trigger(job_id: JobId, trigger: TriggerJob, if_running: IfRunning) -> StartPreview;
}
