//! Credentials: dbt tokens by name, each with its account and addresses. The token lies sealed in its row.
//!
//! One file a task: what a credential is (`record`), changing (`change`), re-sealing with a new key (`rotation`).
//! An account that has credentials has exactly one default among them. Whether an address may be contacted at all is
//! decided above; here it is only made sure that none carries a secret.

mod change;
mod record;
mod rotation;

use std::sync::Arc;

use model::CompanyId;
use sqlx::PgPool;

pub use record::{Credential, CredentialChange, CredentialId, LoadedCredential, NewCredential};
pub use rotation::RotationReport;

use crate::{Database, KeyRing, StorageError, StorageMetrics};
use record::{CredentialRow, is_name};

/// The table `credential`, and the keys that open its tokens.
#[derive(Debug, Clone)]
pub struct Credentials {
    pool: PgPool,
    metrics: Arc<StorageMetrics>,
    key_ring: Option<Arc<KeyRing>>,
}

impl Credentials {
    /// The credentials of that database. Without keys they can be listed and deleted, but no token stored or read.
    pub fn new(database: &Database, key_ring: Option<Arc<KeyRing>>) -> Self {
        Self {
            pool: database.pool().clone(),
            metrics: Arc::clone(database.metrics()),
            key_ring,
        }
    }

    /// The company's credentials without their tokens, the oldest first.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn list(&self, company: CompanyId) -> Result<Vec<Credential>, StorageError> {
        let rows = sqlx::query_as!(
            CredentialRow,
            "SELECT id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version, created_at,
                 updated_at
             FROM credential WHERE company_id = $1 ORDER BY id",
            company.0,
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Credential::try_from).collect()
    }

    /// One credential of the company, without its token.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn get(&self, company: CompanyId, name: &str) -> Result<Option<Credential>, StorageError> {
        if !is_name(name) {
            return Ok(None);
        }
        let row = sqlx::query_as!(
            CredentialRow,
            "SELECT id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version, created_at,
                 updated_at
             FROM credential WHERE company_id = $1 AND name = $2",
            company.0,
            name,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Credential::try_from).transpose()
    }

    /// The company's credentials with their tokens, ready for use, the oldest first. One query.
    ///
    /// # Errors
    /// [`StorageError::Token`] when one of them does not open, [`StorageError::NoKeyRing`] when there is one and no
    /// key, [`StorageError::Query`], [`StorageError::Row`].
    pub async fn load(&self, company: CompanyId) -> Result<Vec<LoadedCredential>, StorageError> {
        let rows = sqlx::query!(
            "SELECT id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version, created_at,
                 updated_at, token_sealed
             FROM credential WHERE company_id = $1 ORDER BY id",
            company.0,
        )
        .fetch_all(&self.pool)
        .await?;
        let loaded = rows.into_iter().map(|row| {
            let token = self.open(company, row.id, &row.name, &row.token_sealed)?;
            let credential = Credential::try_from(CredentialRow {
                id: row.id,
                name: row.name,
                account_id: row.account_id,
                admin_url: row.admin_url,
                metadata_url: row.metadata_url,
                semantic_layer_url: row.semantic_layer_url,
                is_default: row.is_default,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })?;
            Ok(LoadedCredential { credential, token })
        });
        loaded.collect()
    }

    fn key_ring(&self) -> Result<&KeyRing, StorageError> {
        self.key_ring.as_deref().ok_or(StorageError::NoKeyRing)
    }

    fn open(
        &self,
        company: CompanyId,
        id: i64,
        name: &str,
        sealed: &str,
    ) -> Result<secrecy::SecretString, StorageError> {
        let opened = self.key_ring()?.open(sealed, &place(company, id));
        opened.map_err(|reason| StorageError::Token {
            company,
            credential: name.to_owned(),
            reason,
        })
    }
}

/// The name of the place where a token is sealed: its row. A sealed token that is copied to another row does not open.
fn place(company: CompanyId, id: i64) -> Vec<u8> {
    format!("credential.token_sealed/company {company}/id {id}").into_bytes()
}
