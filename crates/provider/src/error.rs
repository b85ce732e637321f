//! The errors of this layer.

use dbt_api::ApiError;
use model::{AccountId, JobId, RunId, RunStatus};
use shares::Exhausted;
use storage::LogError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// An exchange of a read failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A change was sent and failed. Unless dbt Cloud refused it, the change may have been made.
    #[error(transparent)]
    Change(ApiError),
    /// A read before a change failed; the change was not sent.
    #[error(transparent)]
    BeforeChange(ApiError),
    /// An exchange failed for one of the accounts of the request.
    #[error("account {account}")]
    InAccount {
        /// The account.
        account: AccountId,
        /// The failure.
        source: ApiError,
    },
    /// dbt Cloud does not show the run yet, which was just started.
    #[error("run {0} was started just now, and dbt Cloud does not show it yet")]
    RunNotVisibleYet(RunId),
    /// The run has finished, so it cannot be cancelled.
    #[error("run {run} is over ({})", status.name())]
    RunFinished {
        /// The run.
        run: RunId,
        /// Its final status.
        status: RunStatus,
    },
    /// The run cannot be retried; nothing was started.
    #[error("run {run} cannot be retried: {}", reason.as_deref().unwrap_or("dbt Cloud does not say why"))]
    CannotRetry {
        /// The run.
        run: RunId,
        /// dbt Cloud's code (`RETRY_NOT_LATEST_RUN`), else its text.
        reason: Option<String>,
    },
    /// The step `results` was requested, and no step of the run built anything.
    #[error("no step of run {0} ran, tested, seeded or snapshotted anything")]
    NoResultsStep(RunId),
    /// A step was requested, and no run of the job has succeeded or failed.
    #[error("no run of job {0} has succeeded or failed")]
    NoEndedRun(JobId),
    /// A share of the gateway's resources is used up; dbt Cloud was not contacted.
    #[error(transparent)]
    ShareExhausted(#[from] Exhausted),
    /// The request's row could not be committed: for a change, dbt Cloud was not contacted.
    #[error("the request could not be logged")]
    Log(#[from] LogError),
    /// The pages of a GraphQL query cannot be gathered; the text says what the query lacks.
    #[error("the pages cannot be gathered: {0}")]
    Gathering(&'static str),
    /// The answer exceeds a limit; the text names its setting.
    #[error("the answer is longer than {0}")]
    TooMuch(&'static str),
    /// The gateway stopped before the change ended. What it did is unknown if it was sent.
    #[error("the gateway stopped before dbt Cloud answered")]
    Stopped {
        /// Whether the change was sent.
        was_sent: bool,
    },
    /// The gateway's code panicked; logged in the row.
    #[error("the request failed inside the gateway")]
    Panicked,
}
