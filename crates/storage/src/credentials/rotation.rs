//! Re-sealing stored tokens with the first key of the ring, beside running gateways; and which keys they still need.

use model::CompanyId;

use super::{Credentials, place};
use crate::{KeyRing, StorageError};

/// How many tokens are looked at in one query.
const BATCH: i64 = 100;

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationReport {
    /// So many tokens were sealed anew.
    pub re_sealed: u64,
    /// So many were sealed with the first key before.
    pub already: u64,
}

struct SealedRow {
    id: i64,
    company_id: i64,
    name: String,
    token_sealed: String,
}

/// One way through the table.
#[derive(Default)]
struct Pass {
    re_sealed: u64,
    /// Tokens that were changed or deleted by others between reading and writing.
    overtaken: u64,
    unreadable: Option<StorageError>,
}

impl Credentials {
    /// Seals every stored token with the ring's first key, whosever it is.
    ///
    /// Safe beside running gateways that have this key as well: a token is exchanged only as long as it is the one that
    /// was read, no lock is held in between, and version and use of a credential stay as they are. May be broken off
    /// and repeated at will.
    ///
    /// # Errors
    /// [`StorageError::NoKeyRing`]; [`StorageError::Token`] when one token does not open, after all others were sealed;
    /// [`StorageError::Query`].
    pub async fn rotate(&self) -> Result<RotationReport, StorageError> {
        let key_ring = self.key_ring()?;
        let already = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM credential WHERE split_part(token_sealed, '.', 2) = $1"#,
            key_ring.encrypts_with(),
        )
        .fetch_one(&self.pool)
        .await?;
        let mut re_sealed = 0;
        loop {
            let pass = self.pass(key_ring).await?;
            re_sealed += pass.re_sealed;
            match pass {
                Pass {
                    unreadable: Some(error),
                    ..
                } => return Err(error),
                Pass { overtaken: 0, .. } => {
                    return Ok(RotationReport {
                        re_sealed,
                        already: already.unsigned_abs(),
                    });
                }
                // Whoever was first may have sealed with an older key.
                Pass { .. } => {}
            }
        }
    }

    /// The ids of keys that stored tokens need and the ring lacks, in alphabetical order.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn missing_keys(&self) -> Result<Vec<String>, StorageError> {
        let given: Vec<String> = match &self.key_ring {
            Some(key_ring) => key_ring.ids().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let missing = sqlx::query_scalar!(
            r#"SELECT DISTINCT split_part(token_sealed, '.', 2) AS "key_id!" FROM credential
               WHERE split_part(token_sealed, '.', 2) <> ALL ($1) ORDER BY 1"#,
            &given,
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
                SealedRow,
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
                match self.open(company, row.id, &row.name, &row.token_sealed) {
                    Ok(token) => {
                        let sealed = key_ring.seal(&token, &place(company, row.id));
                        let exchanged = self.exchange(&row, &sealed).await?;
                        pass.re_sealed += exchanged;
                        pass.overtaken += 1 - exchanged;
                    }
                    Err(error) => pass.unreadable = pass.unreadable.or(Some(error)),
                }
            }
        }
    }

    /// Stores the new form if the old one is still there; 1 if so, else 0.
    async fn exchange(&self, row: &SealedRow, sealed: &str) -> Result<u64, StorageError> {
        let done = sqlx::query!(
            "UPDATE credential SET token_sealed = $3 WHERE id = $1 AND token_sealed = $2",
            row.id,
            row.token_sealed,
            sealed,
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
