//! Lists and reads credentials, and loads them with their tokens.

use model::{AccountId, CompanyId};

use super::record::{Credential, CredentialRow, LoadedCredential, UnreadableCredential, is_name};
use super::table::Credentials;
use crate::error::StorageError;

impl Credentials {
    /// The company's credentials without their tokens, oldest first.
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

    /// The company's credentials with their tokens, oldest first. One that cannot be read does not fail the others.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn load(
        &self,
        company: CompanyId,
    ) -> Result<Vec<Result<LoadedCredential, UnreadableCredential>>, StorageError> {
        let rows = sqlx::query!(
            "SELECT id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version, created_at,
                 updated_at, token_sealed
             FROM credential WHERE company_id = $1 ORDER BY id",
            company.0,
        )
        .fetch_all(&self.pool)
        .await?;
        let loaded = rows.into_iter().map(|row| {
            let (name, account_id, is_default) = (row.name.clone(), AccountId(row.account_id), row.is_default);
            let token = self.decrypt(company, row.id, &row.name, &row.token_sealed);
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
            });
            token
                .and_then(|token| {
                    Ok(LoadedCredential {
                        credential: credential?,
                        token,
                    })
                })
                .map_err(|error| {
                    self.metrics.credential_unreadable();
                    UnreadableCredential {
                        name,
                        account_id,
                        is_default,
                        reason: reason_of(&error),
                    }
                })
        });
        Ok(loaded.collect())
    }
}

/// The innermost cause.
fn reason_of(error: &StorageError) -> String {
    match error {
        StorageError::Token { reason, .. } => reason.to_string(),
        error => error.to_string(),
    }
}
