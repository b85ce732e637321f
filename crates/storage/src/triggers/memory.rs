//! A ledger in memory, for tests of other layers: every attempt is new, and nothing is looked for later.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use model::{AccountId, ApiKeyId, JobId, RunId};
use uuid::Uuid;

use super::attempt::{Attempt, AttemptEnd, AttemptLease, NewAttempt, RecentAttempt, Resolution};
use super::ledger::{Begun, KeyBegun, TriggerLedger};
use crate::error::StorageError;
use crate::idempotency_keys::{NewIdempotencyKey, StoredAnswer};

/// Remembers how attempts ended.
#[derive(Debug, Default)]
pub struct MemoryTriggerLedger(Mutex<Vec<AttemptEnd>>);

impl MemoryTriggerLedger {
    /// The ends of the attempts, in order.
    pub fn ends(&self) -> Vec<AttemptEnd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl TriggerLedger for MemoryTriggerLedger {
    async fn begin(&self, attempt: &NewAttempt, _: Option<&NewIdempotencyKey>) -> Result<Begun, StorageError> {
        let (lease, now) = (AttemptLease { id: 1, fence: 1 }, DateTime::UNIX_EPOCH);
        let horizon = TimeDelta::from_std(attempt.horizon).unwrap_or_default();
        Ok(Begun::New(Box::new(attempt.stored(lease, now, now + horizon, now))))
    }

    async fn renew(&self, _: AttemptLease, _: Duration) -> Result<bool, StorageError> {
        Ok(true)
    }

    async fn mark_sent(&self, _: AttemptLease, _: Duration) -> Result<bool, StorageError> {
        Ok(true)
    }

    async fn mark_ambiguous(&self, _: AttemptLease) -> Result<(), StorageError> {
        Ok(())
    }

    async fn end(&self, _: AttemptLease, end: &AttemptEnd, _: Option<&StoredAnswer>) -> Result<bool, StorageError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(end.clone());
        Ok(true)
    }

    async fn postpone(&self, _: AttemptLease, _: Duration) -> Result<(), StorageError> {
        Ok(())
    }

    async fn claim_due(&self, _: i64, _: Duration) -> Result<Vec<Attempt>, StorageError> {
        Ok(Vec::new())
    }

    async fn claim(&self, _: Uuid, _: Duration) -> Result<Option<Attempt>, StorageError> {
        Ok(None)
    }

    async fn resolution(&self, _: Uuid) -> Result<Option<Resolution>, StorageError> {
        Ok(None)
    }

    async fn attempted(&self, _: &str, _: AccountId, _: &[RunId]) -> Result<Vec<RunId>, StorageError> {
        Ok(Vec::new())
    }

    async fn recent(
        &self,
        _: &str,
        _: AccountId,
        _: JobId,
        _: Duration,
        _: Uuid,
    ) -> Result<Vec<RecentAttempt>, StorageError> {
        Ok(Vec::new())
    }

    async fn same_recently(
        &self,
        _: ApiKeyId,
        _: &str,
        _: AccountId,
        _: [u8; 32],
        _: Duration,
    ) -> Result<Option<RecentAttempt>, StorageError> {
        Ok(None)
    }

    async fn begin_key(&self, _: &NewIdempotencyKey, _: Duration, _: bool) -> Result<KeyBegun, StorageError> {
        Ok(KeyBegun::New)
    }

    async fn end_key(&self, _: Uuid, _: Option<&StoredAnswer>) -> Result<(), StorageError> {
        Ok(())
    }

    async fn leave_key(&self, _: Uuid) -> Result<(), StorageError> {
        Ok(())
    }

    async fn lock_job(&self, _: &str, _: AccountId, _: JobId, _: Uuid, _: Duration) -> Result<bool, StorageError> {
        Ok(true)
    }

    async fn unlock_job(&self, _: &str, _: AccountId, _: JobId, _: Uuid) -> Result<(), StorageError> {
        Ok(())
    }
}
