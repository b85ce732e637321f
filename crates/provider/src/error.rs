//! What can go wrong between the gate and the answer.

use dbt_api::ApiError;
use model::{AccountId, JobId, RunId, RunStatus};
use storage::LogError;

/// Why a request has no answer from dbt Cloud, or must not have one.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// An exchange of a read failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A change was sent and failed: but for a refusal, dbt Cloud may have made it all the same.
    #[error(transparent)]
    Change(ApiError),
    /// A change failed before it was sent, at what is read first: nothing was changed.
    #[error(transparent)]
    BeforeChange(ApiError),
    /// An exchange failed with one of the several accounts that the request is about.
    #[error("account {account}")]
    InAccount {
        /// Which one.
        account: AccountId,
        /// What failed.
        source: ApiError,
    },
    /// The run was started just now, and dbt Cloud does not show it yet.
    #[error("run {0} was started just now, and dbt Cloud does not show it yet")]
    RunNotVisibleYet(RunId),
    /// The run is over, so it cannot be cancelled.
    #[error("run {run} is over ({})", status.name())]
    RunFinished {
        /// Which one.
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// The run cannot be retried; nothing was started.
    #[error("run {run} cannot be retried: {}", reason.as_deref().unwrap_or("dbt Cloud does not say why"))]
    CannotRetry {
        /// Which one.
        run: RunId,
        /// dbt Cloud's word for it (`RETRY_NOT_LATEST_RUN`), else its text.
        reason: Option<String>,
    },
    /// No step of the run built anything, so none is meant by `results`.
    #[error("no step of run {0} ran, tested, seeded or snapshotted anything")]
    NoResultsStep(RunId),
    /// No run of the job has ended by itself, so there is none whose step could be meant.
    #[error("no run of job {0} has succeeded or failed")]
    NoEndedRun(JobId),
    /// The request's row could not be committed: for a change, dbt Cloud was not contacted.
    #[error("the request could not be logged")]
    Log(#[from] LogError),
    /// A GraphQL query whose pages cannot be gathered; the text says what it lacks.
    #[error("the pages cannot be gathered: {0}")]
    Gathering(&'static str),
    /// The answer is longer than a limit of the settings; the text names it.
    #[error("the answer is longer than {0}")]
    TooMuch(&'static str),
    /// The request's own code panicked; the row says so.
    #[error("the request failed inside the gateway")]
    Panicked,
}
