//! The operations on attempts, keys and locks, as `provider` needs them.

use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, ApiKeyId, JobId, RunId};
use uuid::Uuid;

use super::attempt::{Attempt, AttemptEnd, AttemptLease, NewAttempt, RecentAttempt, Resolution};
use crate::error::StorageError;
use crate::idempotency_keys::{Earlier, NewIdempotencyKey, StoredAnswer};

/// The result of [`TriggerLedger::begin`].
#[derive(Debug)]
pub enum Begun {
    /// The attempt is stored: dbt Cloud may be contacted.
    New(Box<Attempt>),
    /// The key was used before.
    Repeat(Earlier),
}

/// The result of [`TriggerLedger::begin_key`].
#[derive(Debug)]
pub enum KeyBegun {
    /// The key is stored.
    New,
    /// The key was used before.
    Repeat(Earlier),
}

/// The attempts, keys and locks. All times are those of the database's clock.
///
/// Every method: [`StorageError::TimedOut`], [`StorageError::Query`].
#[async_trait]
pub trait TriggerLedger: Send + Sync {
    /// Stores an attempt and its key with one commit, unless the key was used before.
    async fn begin(&self, attempt: &NewAttempt, key: Option<&NewIdempotencyKey>) -> Result<Begun, StorageError>;

    /// Extends the lease; `false` if another process has taken the attempt over.
    async fn renew(&self, lease: AttemptLease, by: Duration) -> Result<bool, StorageError>;

    /// Records that the POST is sent now; `false` if another process has taken the attempt over: then it may not be sent.
    async fn mark_sent(&self, lease: AttemptLease, horizon: Duration) -> Result<bool, StorageError>;

    /// Records that the answer was lost.
    async fn mark_ambiguous(&self, lease: AttemptLease) -> Result<(), StorageError>;

    /// Ends an attempt, and stores the first answer to its key. `false`: another process has taken it over, or the run
    /// belongs to another attempt.
    async fn end(
        &self,
        lease: AttemptLease,
        end: &AttemptEnd,
        answer: Option<&StoredAnswer>,
    ) -> Result<bool, StorageError>;

    /// Releases an attempt whose run was not found, until the next look.
    async fn postpone(&self, lease: AttemptLease, pause: Duration) -> Result<(), StorageError>;

    /// Takes attempts that nobody works on and that are due.
    async fn claim_due(&self, limit: i64, lease: Duration) -> Result<Vec<Attempt>, StorageError>;

    /// Takes the attempt of that request for one look, if nobody works on it.
    async fn claim(&self, request: Uuid, lease: Duration) -> Result<Option<Attempt>, StorageError>;

    /// What became of the attempt of that request; `None` if there is none or dbt Cloud's answer arrived.
    async fn resolution(&self, request: Uuid) -> Result<Option<Resolution>, StorageError>;

    /// Those of the runs that belong to an attempt.
    async fn attempted(&self, host: &str, account: AccountId, runs: &[RunId]) -> Result<Vec<RunId>, StorageError>;

    /// The attempts for a job since that long ago that may have started a run, except that of `request`.
    async fn recent(
        &self,
        host: &str,
        account: AccountId,
        job: JobId,
        since: Duration,
        request: Uuid,
    ) -> Result<Vec<RecentAttempt>, StorageError>;

    /// The newest attempt of the same key for the same thing since that long ago that may have started a run.
    async fn same_recently(
        &self,
        key: ApiKeyId,
        host: &str,
        account: AccountId,
        fingerprint: [u8; 32],
        since: Duration,
    ) -> Result<Option<RecentAttempt>, StorageError>;

    /// Stores the key of a request without an attempt, unless it was used before. One whose process died is taken over.
    async fn begin_key(
        &self,
        key: &NewIdempotencyKey,
        lease: Duration,
        may_take_over: bool,
    ) -> Result<KeyBegun, StorageError>;

    /// Stores the first answer to the key of that request; `None` forgets the key.
    async fn end_key(&self, request: Uuid, answer: Option<&StoredAnswer>) -> Result<(), StorageError>;

    /// Leaves the key of that request without an answer: what the request did is not known.
    async fn leave_key(&self, request: Uuid) -> Result<(), StorageError>;

    /// Locks a job for `owner`, or extends the lock; `false` if another holds it.
    async fn lock_job(
        &self,
        host: &str,
        account: AccountId,
        job: JobId,
        owner: Uuid,
        lease: Duration,
    ) -> Result<bool, StorageError>;

    /// Unlocks a job.
    async fn unlock_job(&self, host: &str, account: AccountId, job: JobId, owner: Uuid) -> Result<(), StorageError>;
}
