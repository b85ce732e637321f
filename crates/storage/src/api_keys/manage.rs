//! Lists, reads and revokes keys of a company, without their texts and hashes.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType, Role};
use serde_json::json;

use super::key::KeyHash;
use super::table::{ApiKeys, parse_role};
use crate::audited_change::AuditedChange;
use crate::bounded_pool::BoundedTransaction;
use crate::error::StorageError;
use crate::request_log::LogRow;

/// What a company sees of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyInfo {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name; not unique.
    pub name: String,
    /// The start of its text, to recognise it: `dgw_` and 8 hex digits.
    pub prefix: String,
    /// Its permissions.
    pub role: Role,
    /// The accounts it may use; `None`: all accounts of its company.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of requests that name none.
    pub default_account: Option<AccountId>,
    /// The names of the credentials that it may use, see [`Caller::may_use_credential`](model::Caller::may_use_credential).
    pub credentials: Option<Vec<String>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// End of its validity.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, in minutes.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A revoked key, and the row of the revocation.
#[derive(Debug)]
#[must_use = "the row is not queued yet"]
pub struct Revocation {
    /// The key.
    pub key: ApiKeyInfo,
    /// Its row in the request log.
    pub row: LogRow,
}

struct ApiKeyRow {
    id: i64,
    name: String,
    prefix: String,
    role: String,
    accounts: Option<Vec<i64>>,
    default_account_id: Option<i64>,
    credentials: Option<Vec<String>>,
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
            prefix: format!("{}{}", KeyHash::START, row.prefix),
            role: parse_role(&row.role)?,
            accounts: row.accounts.map(|ids| ids.into_iter().map(AccountId).collect()),
            default_account: row.default_account_id.map(AccountId),
            credentials: row.credentials,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    }
}

impl ApiKeys {
    /// The company's keys, oldest first, including revoked ones.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn list(&self, company: CompanyId) -> Result<Vec<ApiKeyInfo>, StorageError> {
        let rows = sqlx::query_as!(
            ApiKeyRow,
            "SELECT id, name, prefix, role, accounts, default_account_id, credentials, created_at, expires_at,
                 revoked_at, last_used_at
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
            "SELECT id, name, prefix, role, accounts, default_account_id, credentials, created_at, expires_at,
                 revoked_at, last_used_at
             FROM api_key WHERE company_id = $1 AND id = $2",
            company.0,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(ApiKeyInfo::try_from).transpose()
    }

    /// The keys of all companies, or of one, by id: for commands.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn list_for_operator(
        &self,
        company: Option<CompanyId>,
    ) -> Result<Vec<(CompanyId, ApiKeyInfo)>, StorageError> {
        let companies = match company {
            Some(company) => vec![company.0],
            None => {
                sqlx::query_scalar!("SELECT id FROM company ORDER BY id")
                    .fetch_all(&self.pool)
                    .await?
            }
        };
        let mut all = Vec::new();
        for company in companies.into_iter().map(CompanyId) {
            all.extend(self.list(company).await?.into_iter().map(|key| (company, key)));
        }
        Ok(all)
    }

    /// Company and id of the keys with that id, or whose text begins so: for commands. Several keys may begin alike.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn locate(&self, key: &str) -> Result<Vec<(CompanyId, ApiKeyId)>, StorageError> {
        let prefix = key
            .strip_prefix(KeyHash::START)
            .map(|rest| rest.split('_').next().unwrap_or_default());
        let found = sqlx::query!(
            "SELECT id, company_id FROM api_key WHERE id = $1 OR prefix = $2 ORDER BY id",
            key.parse::<i64>().ok(),
            prefix,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(found
            .into_iter()
            .map(|row| (CompanyId(row.company_id), ApiKeyId(row.id)))
            .collect())
    }

    /// Revokes a key of the company. Commits alone, so that it works whenever the table of keys can be written; the caller
    /// queues its row. Revoking again keeps the first time, and the row says so. `None`: the company has no such key.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`]: the key may be revoked or not; [`StorageError::Query`], [`StorageError::Row`].
    pub async fn revoke(
        &self,
        company: CompanyId,
        stamp: &RequestStamp,
        by: Option<ApiKeyId>,
        id: ApiKeyId,
    ) -> Result<Option<Revocation>, StorageError> {
        let revoke = async |mut transaction: BoundedTransaction| {
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
                 RETURNING id, name, prefix, role, accounts, default_account_id, credentials, created_at, expires_at,
                     revoked_at, last_used_at",
                company.0,
                id.0,
            )
            .fetch_one(&mut *transaction)
            .await?;
            let mut args = json!({"api_key_id": id, "name": row.name});
            if before.revoked_at.is_some() {
                args["already_revoked"] = json!(true);
            }
            let key = ApiKeyInfo::try_from(row)?;
            transaction.commit().await?;
            let row = AuditedChange::new(stamp, RequestType::RevokeApiKey, company, by).row(&args);
            Ok(Some(Revocation { key, row }))
        };
        self.pool.transaction(revoke).await
    }
}
