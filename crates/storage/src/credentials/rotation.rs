//! Re-encrypts stored tokens with the first key of the ring while gateways run, and finds keys that are missing.

use model::CompanyId;

use super::table::{Credentials, token_aad};
use crate::error::StorageError;
use crate::secrets::KeyRing;

/// Number of tokens per query.
const BATCH: i64 = 100;

/// The result of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationReport {
    /// Number of tokens that were re-encrypted.
    pub re_encrypted: u64,
    /// Number of tokens that were encrypted with the first key before.
    pub already: u64,
}

struct TokenRow {
    id: i64,
    company_id: i64,
    name: String,
    token_sealed: String,
}

/// One pass through the table.
#[derive(Default)]
struct Pass {
    re_encrypted: u64,
    /// Number of tokens that another process changed or deleted between reading and writing.
    conflicts: u64,
    unreadable: Option<StorageError>,
}

impl Credentials {
    /// Re-encrypts the tokens of all companies with the ring's first key.
    ///
    /// Safe while gateways run that have this key: a token is replaced only if it is still the one that was read, no lock
    /// is held in between, and the credential's version does not change. Can be interrupted and repeated.
    ///
    /// # Errors
    /// [`StorageError::NoKeyRing`]; [`StorageError::KeyNotEverywhere`]; [`StorageError::Token`] if a token cannot be decrypted, after all others were
    /// re-encrypted; [`StorageError::Query`].
    pub async fn rotate(&self) -> Result<RotationReport, StorageError> {
        let key_ring = &*self.key_ring()?;
        self.require_everywhere(key_ring.encrypts_with()).await?;
        let already = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM credential WHERE split_part(token_sealed, '.', 2) = $1"#,
            key_ring.encrypts_with(),
        )
        .fetch_one(&self.pool)
        .await?;
        let mut re_encrypted = 0;
        loop {
            let pass = self.pass(key_ring).await?;
            re_encrypted += pass.re_encrypted;
            match pass {
                Pass {
                    unreadable: Some(error),
                    ..
                } => return Err(error),
                Pass { conflicts: 0, .. } => {
                    return Ok(RotationReport {
                        re_encrypted,
                        already: already.unsigned_abs(),
                    });
                }
                // The other process may have encrypted with an older key.
                Pass { .. } => {}
            }
        }
    }

    /// The ids of keys that stored tokens need but the ring lacks, in alphabetical order.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn missing_keys(&self) -> Result<Vec<String>, StorageError> {
        self.missing_from(&self.keys.ids()).await
    }

    /// As [`Self::missing_keys`], for a ring with these ids.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn missing_from(&self, given: &[String]) -> Result<Vec<String>, StorageError> {
        let missing = sqlx::query_scalar!(
            r#"SELECT DISTINCT split_part(token_sealed, '.', 2) AS "key_id!" FROM credential
               WHERE split_part(token_sealed, '.', 2) <> ALL ($1) ORDER BY 1"#,
            given,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(missing)
    }

    async fn pass(&self, key_ring: &KeyRing) -> Result<Pass, StorageError> {
        let mut pass = Pass::default();
        let mut after = i64::MIN;
        loop {
            let batch = sqlx::query_as!(
                TokenRow,
                "SELECT id, company_id, name, token_sealed FROM credential
                 WHERE id > $1 AND split_part(token_sealed, '.', 2) <> $2 ORDER BY id LIMIT $3",
                after,
                key_ring.encrypts_with(),
                BATCH,
            )
            .fetch_all(&self.pool)
            .await?;
            let Some(last) = batch.last() else {
                return Ok(pass);
            };
            after = last.id;
            for row in batch {
                let company = CompanyId(row.company_id);
                match self.decrypt(company, row.id, &row.name, &row.token_sealed) {
                    Ok(token) => {
                        let encrypted = key_ring.encrypt(&token, &token_aad(company, row.id));
                        let replaced = self.replace_token(&row, &encrypted).await?;
                        pass.re_encrypted += replaced;
                        pass.conflicts += 1 - replaced;
                    }
                    Err(error) => pass.unreadable = pass.unreadable.or(Some(error)),
                }
            }
        }
    }

    /// Stores the new text if the old one is still stored; 1 if so, else 0.
    async fn replace_token(&self, row: &TokenRow, encrypted: &str) -> Result<u64, StorageError> {
        let done = sqlx::query!(
            "UPDATE credential SET token_sealed = $3 WHERE id = $1 AND token_sealed = $2",
            row.id,
            row.token_sealed,
            encrypted,
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
