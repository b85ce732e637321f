//! Budgets in memory, for tests without Postgres.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use model::AccountId;
use tokio::time::Instant;

use super::ledger::{BudgetKey, BudgetUse, RateLedger};
use super::limits::BudgetLimits;
use super::slice::{BudgetReading, BudgetState, PerClass, Slice, micros};
use crate::error::StorageError;

/// [`RateLedger`] in memory. Clones share it, as replicas share the database.
#[derive(Debug, Clone)]
pub struct MemoryRateLedger {
    start: Instant,
    states: Arc<Mutex<HashMap<BudgetKey, BudgetState>>>,
}

impl Default for MemoryRateLedger {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            states: Arc::default(),
        }
    }
}

impl MemoryRateLedger {
    fn now(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn states(&self) -> MutexGuard<'_, HashMap<BudgetKey, BudgetState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RateLedger for MemoryRateLedger {
    async fn lease(&self, key: &BudgetKey, limits: &BudgetLimits, wanted: PerClass) -> Result<Slice, StorageError> {
        let now = self.now();
        Ok(limits.lease(self.states().entry(key.clone()).or_default(), wanted, now))
    }

    async fn cool_down(&self, key: &BudgetKey, duration: Duration, says: bool) -> Result<Duration, StorageError> {
        let now = self.now();
        let mut states = self.states();
        Ok(BudgetState::cool_down(
            states.entry(key.clone()).or_default(),
            duration,
            says,
            now,
        ))
    }

    async fn end_probe(&self, key: &BudgetKey, limits: &BudgetLimits, answered: bool) -> Result<(), StorageError> {
        let now = self.now();
        limits.end_probe(self.states().entry(key.clone()).or_default(), answered, now);
        Ok(())
    }

    async fn cooldowns(&self) -> Result<Vec<(BudgetKey, Duration)>, StorageError> {
        let now = self.now();
        let states = self.states();
        let open = states.iter().filter_map(|(key, state)| {
            let until = state.cooldown_until.filter(|until| *until > now)?;
            Some((key.clone(), micros(until - now)))
        });
        Ok(open.collect())
    }

    async fn read(&self, key: &BudgetKey, limits: &BudgetLimits) -> Result<Option<BudgetReading>, StorageError> {
        let now = self.now();
        Ok(self.states().get(key).map(|state| limits.reading(state, now)))
    }

    async fn used(&self, _: AccountId, _: DateTime<Utc>) -> Result<Vec<BudgetUse>, StorageError> {
        Ok(Vec::new())
    }
}
