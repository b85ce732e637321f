//! The errors of this layer.

use chrono::{DateTime, Utc};
use dbt_api::ApiError;
use model::{AccountId, ApiKeyId, JobId, RunId, RunStatus};
use shares::Exhausted;
use storage::{LogError, StorageError};
use uuid::Uuid;

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
    /// The caller's time has passed; the change of that request goes on.
    #[error("the change of request {0} goes on, and the caller's time has passed")]
    GoesOn(Uuid),
    /// A share of the gateway's resources is used up; dbt Cloud was not contacted.
    #[error(transparent)]
    ShareExhausted(#[from] Exhausted),
    /// The request's row could not be committed: for a change, dbt Cloud was not contacted.
    #[error("the request could not be logged")]
    Log(#[from] LogError),
    /// The answer to a POST that starts a run was lost, and the run was not found in time.
    #[error(transparent)]
    TriggerUnresolved(Box<TriggerUnresolved>),
    /// The job has active runs, and the request starts none beside them.
    #[error("job {job} has active runs")]
    RunActive {
        /// The job.
        job: JobId,
        /// The active runs, newest first.
        runs: Vec<RunId>,
        /// Requests that may have started a run which dbt Cloud does not show yet.
        requests: Vec<Uuid>,
    },
    /// Another request looks at the job's runs in order to act on them. dbt Cloud was not contacted.
    #[error("another request is about to start a run of job {0}")]
    JobBusy(JobId),
    /// The idempotency key was used for a request in which these fields differ.
    #[error("the idempotency key was used for another request: {} differ", .0.join(", "))]
    IdempotencyMismatch(Vec<String>),
    /// The first request with the idempotency key has not ended, or its run is being looked for; with its UUID, if known.
    #[error("a request with the same idempotency key has not ended")]
    IdempotencyInFlight(Option<Uuid>),
    /// The first request with the idempotency key made this API key, and its answer is not stored: it holds a secret.
    #[error("the answer to the first request with the idempotency key, which made API key {0}, is not stored")]
    IdempotencyNotReplayable(ApiKeyId),
    /// What the first request with the idempotency key did is unknown.
    #[error("what request {0} with the same idempotency key did is unknown")]
    IdempotencyUnresolved(Uuid),
    /// The attempt, the key or the lock could not be read or stored. Nothing was sent that starts a run.
    #[error("the attempt to start a run could not be recorded")]
    Ledger(#[from] StorageError),
    /// The pages of a GraphQL query cannot be gathered; the text says what the query lacks.
    #[error("the pages cannot be gathered: {0}")]
    Gathering(&'static str),
    /// A table cannot be ordered so; the text says why.
    #[error("in `order_by`: {0}")]
    Order(String),
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

/// The answer to a POST that starts a run was lost, and the run was not found in time.
#[derive(Debug, thiserror::Error)]
#[error("whether dbt Cloud started a run is not known yet")]
pub struct TriggerUnresolved {
    /// The request whose row tells the outcome.
    pub request_uuid: Uuid,
    /// The job.
    pub job: Option<JobId>,
    /// The marker that was looked for; `None` where the cause has none.
    pub marker: Option<String>,
    /// Runs that may be it.
    pub candidates: Vec<RunId>,
    /// Until then the run is looked for.
    pub until: DateTime<Utc>,
    /// How the answer was lost; `None` for a repeated request.
    pub source: Option<ApiError>,
}
