//! What the budget needs of its store.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, ClientType, CompanyId};

use super::limits::BudgetLimits;
use super::slice::{BudgetReading, PerClass, Slice};
use crate::error::StorageError;

/// What a budget is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BudgetKey {
    /// Host and port of the Administrative API, by which the account is known.
    pub host: String,
    /// The account.
    pub account: AccountId,
    /// The API: dbt Cloud counts each apart.
    pub api: ClientType,
}

/// Exchanges of one key and request type in the last minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUse {
    /// The API.
    pub api: ClientType,
    /// Whether the gateway itself asked, in the background.
    pub is_background: bool,
    /// The request type, as the log spells it.
    pub request_type: String,
    /// The company.
    pub company: CompanyId,
    /// The key; `None` for the gateway itself.
    pub key: Option<ApiKeyId>,
    /// Exchanges.
    pub sent: i64,
}

/// The budgets that all replicas share.
#[async_trait]
pub trait RateLedger: Send + Sync {
    /// Takes a slice of at most that many requests.
    ///
    /// # Errors
    /// [`StorageError`]: nothing may be sent.
    async fn lease(&self, key: &BudgetKey, limits: &BudgetLimits, wanted: PerClass) -> Result<Slice, StorageError>;

    /// Opens or prolongs a cooldown. One that is open stays as it is, unless dbt Cloud `says` how long it is. Returns its
    /// rest.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn cool_down(&self, key: &BudgetKey, duration: Duration, says: bool) -> Result<Duration, StorageError>;

    /// Ends this process's try after a cooldown. If dbt Cloud `answered` it, the rate rises again.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn end_probe(&self, key: &BudgetKey, limits: &BudgetLimits, answered: bool) -> Result<(), StorageError>;

    /// The open cooldowns with the rest of each.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn cooldowns(&self) -> Result<Vec<(BudgetKey, Duration)>, StorageError>;

    /// What a budget holds; `None` if it was never used.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn read(&self, key: &BudgetKey, limits: &BudgetLimits) -> Result<Option<BudgetReading>, StorageError>;

    /// The exchanges with that account, of all companies, in requests that ended in the minute before `now`, by the clock of
    /// the log.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn used(&self, account: AccountId, now: DateTime<Utc>) -> Result<Vec<BudgetUse>, StorageError>;
}
