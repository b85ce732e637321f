//! Keys, looked up at most once in a few seconds each, so that a busy caller costs no query a request.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{ApiKeyId, Caller, Clock};
use moka::future::Cache;
use storage::{ApiKeys, KeyHash, KeyRecord, StorageError};

use crate::ClientError;

/// Where keys are looked up. The table `api_key` is the real one.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The key with that hash, whether or not it is still valid.
    ///
    /// # Errors
    /// [`KeySourceError`].
    async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, KeySourceError>;
}

/// The keys cannot be looked up now.
#[derive(Debug, thiserror::Error)]
#[error("API keys cannot be looked up")]
pub struct KeySourceError(#[source] pub StorageError);

#[async_trait]
impl KeySource for ApiKeys {
    async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, KeySourceError> {
        ApiKeys::find(self, hash).await.map_err(KeySourceError)
    }
}

/// The keys in use.
#[derive(Clone)]
pub(crate) struct Keys {
    source: Arc<dyn KeySource>,
    recent: Cache<KeyHash, KeyRecord>,
    clock: Arc<dyn Clock>,
    used: Arc<Mutex<HashSet<ApiKeyId>>>,
}

impl Keys {
    /// A found key is believed for `max_age`; an unknown one is looked up each time.
    pub(crate) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>, max_age: Duration, capacity: u64) -> Self {
        Self {
            source,
            recent: Cache::builder().max_capacity(capacity).time_to_live(max_age).build(),
            clock,
            used: Arc::default(),
        }
    }

    /// Who presents that key.
    pub(crate) async fn authenticate(&self, presented: &str) -> Result<Caller, ClientError> {
        let hash = KeyHash::of(presented).ok_or(ClientError::Unauthenticated)?;
        let record = self
            .recent
            .try_get_with(hash, self.look_up(hash))
            .await
            .map_err(|refused| match *refused {
                LookUp::Unknown => ClientError::Unauthenticated,
                LookUp::Unavailable => ClientError::KeysUnavailable,
            })?;
        if !record.is_valid(self.clock.now()) {
            return Err(ClientError::Unauthenticated);
        }
        self.used().insert(record.caller.api_key_id);
        Ok(record.caller)
    }

    /// Forgets what was looked up, so that a change made here holds at once.
    pub(crate) fn forget(&self) {
        self.recent.invalidate_all();
    }

    /// The keys used since the last call.
    pub(crate) fn take_used(&self) -> Vec<ApiKeyId> {
        self.used().drain().collect()
    }

    pub(crate) fn put_back(&self, used: Vec<ApiKeyId>) {
        self.used().extend(used);
    }

    fn used(&self) -> MutexGuard<'_, HashSet<ApiKeyId>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, hash: KeyHash) -> Result<KeyRecord, LookUp> {
        match self.source.find(&hash).await {
            Ok(found) => found.ok_or(LookUp::Unknown),
            Err(error) => {
                // The answer's line says that a person must act.
                tracing::warn!(error = &error as &dyn std::error::Error, "API keys cannot be looked up");
                Err(LookUp::Unavailable)
            }
        }
    }
}

/// Why a look-up yields nothing that could be kept.
enum LookUp {
    Unknown,
    Unavailable,
}
