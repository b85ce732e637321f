//! The table `credential`, and the encryption of its tokens.

use std::sync::Arc;
use std::time::Duration;

use model::CompanyId;
use secrecy::SecretString;

use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;
use crate::metrics::StorageMetrics;
use crate::secrets::{CurrentKeys, KeyRing};

/// The table `credential`, and the keys that encrypt its tokens.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub(super) pool: BoundedPool,
    pub(super) metrics: Arc<StorageMetrics>,
    pub(super) keys: CurrentKeys,
    pub(super) dead_after: Duration,
}

/// The age of a heartbeat at which a process counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(30);

impl Credentials {
    /// The credentials of that database. Without keys they can be listed and deleted, but tokens neither stored nor read.
    pub fn new(database: &Database, key_ring: Option<Arc<KeyRing>>) -> Self {
        Self {
            pool: database.pool().clone(),
            metrics: Arc::clone(database.metrics()),
            keys: key_ring.into(),
            dead_after: DEAD_AFTER,
        }
    }

    /// Another age at which a process counts as dead: its encryption keys do not matter any more.
    #[must_use]
    pub fn with_dead_after(self, dead_after: Duration) -> Self {
        Self { dead_after, ..self }
    }

    /// The encryption keys of the process.
    pub fn keys(&self) -> &CurrentKeys {
        &self.keys
    }

    pub(super) fn key_ring(&self) -> Result<Arc<KeyRing>, StorageError> {
        self.keys.get().ok_or(StorageError::NoKeyRing)
    }

    pub(super) fn decrypt(
        &self,
        company: CompanyId,
        id: i64,
        name: &str,
        encrypted: &str,
    ) -> Result<SecretString, StorageError> {
        let token = self.key_ring()?.decrypt(encrypted, &token_aad(company, id));
        token.map_err(|reason| StorageError::Token {
            company,
            credential: name.to_owned(),
            reason,
        })
    }
}

/// Identifies the row of a token, so that the encrypted text cannot be decrypted after it was copied to another row.
pub(super) fn token_aad(company: CompanyId, id: i64) -> Vec<u8> {
    format!("credential.token_sealed/company {company}/id {id}").into_bytes()
}
