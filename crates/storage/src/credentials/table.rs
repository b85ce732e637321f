//! The table `credential`, and the encryption of its tokens.

use std::sync::Arc;

use model::CompanyId;
use secrecy::SecretString;

use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;
use crate::metrics::StorageMetrics;
use crate::secrets::KeyRing;

/// The table `credential`, and the keys that encrypt its tokens.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub(super) pool: BoundedPool,
    pub(super) metrics: Arc<StorageMetrics>,
    pub(super) key_ring: Option<Arc<KeyRing>>,
}

impl Credentials {
    /// The credentials of that database. Without keys they can be listed and deleted, but tokens neither stored nor read.
    pub fn new(database: &Database, key_ring: Option<Arc<KeyRing>>) -> Self {
        Self {
            pool: database.pool().clone(),
            metrics: Arc::clone(database.metrics()),
            key_ring,
        }
    }

    pub(super) fn key_ring(&self) -> Result<&KeyRing, StorageError> {
        self.key_ring.as_deref().ok_or(StorageError::NoKeyRing)
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
