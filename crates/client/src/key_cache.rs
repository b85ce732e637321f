//! A cache of API keys, which saves a busy caller's requests the database query.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{ApiKeyId, Caller, Clock, CompanyId};
use moka::sync::Cache;
use storage::{ApiKeys, KeyHash, KeyRecord, StorageError};

use crate::ClientError;
use crate::look_ups::{LookUpFailure, LookUps};

/// Looks up keys; in production in the table `api_key`.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The key with that hash, even if it is no longer valid.
    ///
    /// # Errors
    /// [`KeySourceError`].
    async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, KeySourceError>;
}

/// The look-up of keys failed.
#[derive(Debug, thiserror::Error)]
#[error("API keys cannot be looked up")]
pub struct KeySourceError(#[source] pub StorageError);

#[async_trait]
impl KeySource for ApiKeys {
    async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, KeySourceError> {
        ApiKeys::find(self, hash).await.map_err(KeySourceError)
    }
}

/// How long an unknown key is refused without a query. A key has 256 random bits: nobody can have tried it before it was
/// created.
const UNKNOWN_TTL: Duration = Duration::from_secs(5);

/// Recently used keys.
pub(crate) struct KeyCache {
    source: Arc<dyn KeySource>,
    keys: LookUps<KeyHash, KeyRecord, LookUpError>,
    unknown: Cache<KeyHash, ()>,
    clock: Arc<dyn Clock>,
    used: Mutex<HashSet<ApiKeyId>>,
}

/// The limits of the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyCacheSettings {
    pub(crate) ttl: Duration,
    /// Number of known keys, and of unknown ones.
    pub(crate) capacity: u64,
    /// The deadline of a look-up.
    pub(crate) limit: Duration,
}

impl KeyCache {
    pub(crate) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>, settings: KeyCacheSettings) -> Self {
        let KeyCacheSettings { ttl, capacity, limit } = settings;
        Self {
            source,
            keys: LookUps::new(ttl, capacity, limit),
            unknown: Cache::builder()
                .max_capacity(capacity)
                .time_to_live(UNKNOWN_TTL)
                .build(),
            clock,
            used: Mutex::default(),
        }
    }

    /// The caller with the key `presented`.
    pub(crate) async fn authenticate(&self, presented: &str) -> Result<Caller, ClientError> {
        let hash = KeyHash::of(presented).ok_or(ClientError::Unauthenticated)?;
        if self.unknown.contains_key(&hash) {
            return Err(ClientError::Unauthenticated);
        }
        let source = Arc::clone(&self.source);
        let record = match self.keys.get(&hash, || look_up(source, hash)).await {
            Ok(record) => record,
            Err(LookUpFailure::Source(LookUpError::Unknown)) => {
                self.unknown.insert(hash, ());
                return Err(ClientError::Unauthenticated);
            }
            Err(LookUpFailure::Source(LookUpError::Unavailable) | LookUpFailure::Late) => {
                return Err(ClientError::KeysUnavailable);
            }
        };
        if !record.is_valid(self.clock.now()) {
            return Err(ClientError::Unauthenticated);
        }
        if record.suspended_at.is_some() {
            return Err(ClientError::CompanySuspended);
        }
        self.used().insert(record.caller.api_key_id);
        Ok(record.caller)
    }

    /// Forgets a key, so that a change made in this process takes effect immediately.
    pub(crate) fn forget(&self, id: ApiKeyId) {
        self.keys.forget_where(|record| record.caller.api_key_id == id);
    }

    /// Forgets the keys of a company.
    pub(crate) fn forget_company(&self, id: CompanyId) {
        self.keys.forget_where(|record| record.caller.company_id == id);
    }

    /// The keys used since the last call.
    pub(crate) fn take_used(&self) -> Vec<ApiKeyId> {
        self.used().drain().collect()
    }

    /// Returns keys whose use could not be stored.
    pub(crate) fn put_back(&self, used: Vec<ApiKeyId>) {
        self.used().extend(used);
    }

    fn used(&self) -> MutexGuard<'_, HashSet<ApiKeyId>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look_up(source: Arc<dyn KeySource>, hash: KeyHash) -> Result<KeyRecord, LookUpError> {
    match source.find(&hash).await {
        Ok(found) => found.ok_or(LookUpError::Unknown),
        Err(error) => {
            // Only a warning: the answer to the request logs the error.
            tracing::warn!(error = &error as &dyn std::error::Error, "API keys cannot be looked up");
            Err(LookUpError::Unavailable)
        }
    }
}

/// Why a look-up found no key.
#[derive(Debug, Clone, Copy)]
enum LookUpError {
    Unknown,
    Unavailable,
}
