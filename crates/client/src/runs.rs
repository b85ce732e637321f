//! Runs.

use model::{
    IdempotencyKey, Page, PageQuery, Repeatable, RetryPreview, Run, RunFailure, RunFilter, RunId, RunRelated, RunStep,
};
use provider::Listing;

crate::operations! {
    /// A page of an account's runs.
    ListRuns => list_runs(filter: RunFilter, page: PageQuery) -> Listing<Run>;
    /// One run, with the related objects.
    GetRun => get_run(run_id: RunId, related: Vec<RunRelated>) -> Run;
    /// A page of a run's steps, with their logs.
    ListRunSteps => list_run_steps(run_id: RunId, debug_logs: bool, page: PageQuery) -> Page<RunStep>;
    /// Why a run failed.
    GetRunFailure => get_run_failure(run_id: RunId) -> RunFailure;
    /// Cancels a run; one that is already cancelled stays so.
    CancelRun => cancel_run(run_id: RunId, idempotency_key: Option<IdempotencyKey>) -> Repeatable<Run>;
    /// Whether a run can be retried, and what a retry would run.
    GetRetryPreview => get_retry_preview(run_id: RunId) -> RetryPreview;
}
