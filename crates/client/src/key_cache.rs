//! A cache of API keys, which saves a busy caller's requests the database query.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{ApiKeyId, Caller, Clock};
use moka::future::Cache;
use storage::{ApiKeys, KeyHash, KeyRecord, StorageError};

use crate::ClientError;

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

/// Recently used keys.
pub(crate) struct KeyCache {
    source: Arc<dyn KeySource>,
    cache: Cache<KeyHash, KeyRecord>,
    clock: Arc<dyn Clock>,
    used: Mutex<HashSet<ApiKeyId>>,
}

impl KeyCache {
    /// Only found keys are cached; an unknown key is looked up each time.
    pub(crate) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>, ttl: Duration, capacity: u64) -> Self {
        Self {
            source,
            cache: Cache::builder().max_capacity(capacity).time_to_live(ttl).build(),
            clock,
            used: Mutex::default(),
        }
    }

    /// The caller with the key `presented`.
    pub(crate) async fn authenticate(&self, presented: &str) -> Result<Caller, ClientError> {
        let hash = KeyHash::of(presented).ok_or(ClientError::Unauthenticated)?;
        let record = self
            .cache
            .try_get_with(hash, self.look_up(hash))
            .await
            .map_err(|error| match *error {
                LookUpError::Unknown => ClientError::Unauthenticated,
                LookUpError::Unavailable => ClientError::KeysUnavailable,
            })?;
        if !record.is_valid(self.clock.now()) {
            return Err(ClientError::Unauthenticated);
        }
        self.used().insert(record.caller.api_key_id);
        Ok(record.caller)
    }

    /// Empties the cache, so that a change made in this process takes effect immediately.
    pub(crate) fn clear(&self) {
        self.cache.invalidate_all();
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

    async fn look_up(&self, hash: KeyHash) -> Result<KeyRecord, LookUpError> {
        match self.source.find(&hash).await {
            Ok(found) => found.ok_or(LookUpError::Unknown),
            Err(error) => {
                // Only a warning: the answer to the request logs the error.
                tracing::warn!(error = &error as &dyn std::error::Error, "API keys cannot be looked up");
                Err(LookUpError::Unavailable)
            }
        }
    }
}

/// Why a look-up found no key.
enum LookUpError {
    Unknown,
    Unavailable,
}
