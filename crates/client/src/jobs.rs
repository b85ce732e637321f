//! Jobs.

use model::{Job, JobFields, JobFilter, JobId, JobRelated, PageQuery, Run, TriggerJob};
use provider::Listing;

crate::operations! {
    /// A page of an account's jobs.
    ListJobs => list_jobs(filter: JobFilter, page: PageQuery) -> Listing<Job>;
    /// One job, with the related objects.
    GetJob => get_job(job_id: JobId, related: Vec<JobRelated>) -> Job;
    /// Creates a job. Not idempotent: every accepted call creates one.
    CreateJob => create_job(fields: JobFields) -> Job;
    /// Changes the given fields of a job. A concurrent change may be overwritten.
    UpdateJob => update_job(job_id: JobId, changes: JobFields) -> Job;
    /// Deletes a job.
    DeleteJob => delete_job(job_id: JobId) -> ();
    /// Starts a run of a job. Not idempotent: every accepted call starts a run.
    TriggerJob => trigger_job(job_id: JobId, trigger: TriggerJob) -> Run;
    /// Starts a run of a job from the point of failure of its latest one, else a new one. Not idempotent.
    RerunJob => rerun_job(job_id: JobId) -> Run;
}
