//! A company's own view of its keys: list, read, revoke. Neither text nor hash of a key passes here.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType, Role};
use serde_json::json;

use super::{ApiKeys, KeyHash, role_of};
use crate::StorageError;
use crate::own_records::Change;

/// What a company may know of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyInfo {
    /// Its id.
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// How its text begins, `dgw_` and 8 hex digits: enough to recognise it, of no use to open anything.
    pub prefix: String,
    /// What it may do.
    pub role: Role,
    /// The accounts it may use; `None` means every account its company holds.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of a request that names none.
    pub default_account: Option<AccountId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

struct ApiKeyRow {
    id: i64,
    name: String,
    prefix: String,
    role: String,
    accounts: Option<Vec<i64>>,
    default_account_id: Option<i64>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl TryFrom<ApiKeyRow> for ApiKeyInfo {
    type Error = StorageError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StorageError> {
        Ok(Self {
            id: ApiKeyId(row.id),
            name: row.name,
            prefix: format!("{}{}", KeyHash::MARK, row.prefix),
            role: role_of(&row.role)?,
            accounts: row.accounts.map(|ids| ids.into_iter().map(AccountId).collect()),
            default_account: row.default_account_id.map(AccountId),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    }
}

impl ApiKeys {
    /// The company's keys, the oldest first, revoked ones included.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn list(&self, company: CompanyId) -> Result<Vec<ApiKeyInfo>, StorageError> {
        let rows = sqlx::query_as!(
            ApiKeyRow,
            "SELECT id, name, prefix, role, accounts, default_account_id, created_at, expires_at, revoked_at,
                 last_used_at
             FROM api_key WHERE company_id = $1 ORDER BY id",
            company.0,
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ApiKeyInfo::try_from).collect()
    }

    /// One key of the company.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn get(&self, company: CompanyId, id: ApiKeyId) -> Result<Option<ApiKeyInfo>, StorageError> {
        let row = sqlx::query_as!(
            ApiKeyRow,
            "SELECT id, name, prefix, role, accounts, default_account_id, created_at, expires_at, revoked_at,
                 last_used_at
             FROM api_key WHERE company_id = $1 AND id = $2",
            company.0,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(ApiKeyInfo::try_from).transpose()
    }

    /// Revokes a key of the company for good, and writes the row of the change in the same transaction. A key that is
    /// revoked already keeps its moment, and the row says so. `None`: the company has no such key, and nothing is
    /// written.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn revoke(
        &self,
        company: CompanyId,
        stamp: &RequestStamp,
        by: Option<ApiKeyId>,
        id: ApiKeyId,
    ) -> Result<Option<ApiKeyInfo>, StorageError> {
        let mut transaction = self.pool.begin().await?;
        let before = sqlx::query!(
            "SELECT revoked_at FROM api_key WHERE company_id = $1 AND id = $2 FOR NO KEY UPDATE",
            company.0,
            id.0,
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(before) = before else {
            return Ok(None);
        };
        let row = sqlx::query_as!(
            ApiKeyRow,
            "UPDATE api_key SET revoked_at = COALESCE(revoked_at, now()) WHERE company_id = $1 AND id = $2
             RETURNING id, name, prefix, role, accounts, default_account_id, created_at, expires_at, revoked_at,
                 last_used_at",
            company.0,
            id.0,
        )
        .fetch_one(&mut *transaction)
        .await?;
        let mut args = json!({"api_key_id": id, "name": row.name});
        if before.revoked_at.is_some() {
            args["already_revoked"] = json!(true);
        }
        Change::new(stamp, RequestType::RevokeApiKey, company, by)
            .commit(transaction, &self.metrics, &args)
            .await?;
        ApiKeyInfo::try_from(row).map(Some)
    }
}
