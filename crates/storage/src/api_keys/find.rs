//! Looks up the key of a caller, and records when keys were last used.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, Caller, CompanyId};

use super::key::KeyHash;
use super::table::{ApiKeys, parse_role};
use crate::error::StorageError;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The caller it authenticates.
    pub caller: Caller,
    /// End of its validity.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When its company was suspended.
    pub suspended_at: Option<DateTime<Utc>>,
}

impl KeyRecord {
    /// Whether the key is neither expired nor revoked at `now`.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl ApiKeys {
    /// Those of these keys that are valid now: neither revoked nor expired, and not of a suspended company.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn valid(&self, ids: &[ApiKeyId]) -> Result<HashSet<ApiKeyId>, StorageError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let valid = sqlx::query_scalar!(
            "SELECT key.id FROM api_key key JOIN company ON company.id = company_id
             WHERE key.id = ANY ($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
                 AND company.suspended_at IS NULL",
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(valid.into_iter().map(ApiKeyId).collect())
    }

    /// The key with that hash, also if it is no longer valid.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StorageError> {
        let row = sqlx::query!(
            "SELECT key.id, company_id, key_hash, role, accounts, default_account_id, credentials, expires_at, revoked_at,
                 company.suspended_at
             FROM api_key key JOIN company ON company.id = company_id WHERE key_hash = $1",
            hash.as_bytes(),
        )
        .fetch_optional(&self.pool)
        .await?;
        // The index comparison is not constant-time, but callers cannot choose a hash; this comparison is.
        let Some(row) = row.filter(|row| hash.matches(&row.key_hash)) else {
            return Ok(None);
        };
        Ok(Some(KeyRecord {
            caller: Caller {
                api_key_id: ApiKeyId(row.id),
                company_id: CompanyId(row.company_id),
                role: parse_role(&row.role)?,
                accounts: row.accounts.map(|ids| ids.into_iter().map(AccountId).collect()),
                default_account: row.default_account_id.map(AccountId),
                credentials: row.credentials,
            },
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            suspended_at: row.suspended_at,
        }))
    }

    /// Records that these keys were used at `at`, in minutes. A later recorded use is kept.
    ///
    /// A key is written at most once per minute, so frequent calls cost little.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn touch(&self, ids: &[ApiKeyId], at: DateTime<Utc>) -> Result<(), StorageError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        // Locked in the order of ids, so that replicas cannot deadlock.
        sqlx::query!(
            "WITH used AS (
                 SELECT id FROM api_key
                 WHERE id = ANY ($1) AND (last_used_at IS NULL OR last_used_at < date_trunc('minute', $2, 'UTC'))
                 ORDER BY id FOR NO KEY UPDATE)
             UPDATE api_key SET last_used_at = date_trunc('minute', $2, 'UTC') FROM used WHERE api_key.id = used.id",
            &ids,
            at,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::Role;

    use super::*;

    #[test]
    fn an_expired_or_revoked_key_is_invalid() {
        let now = DateTime::UNIX_EPOCH;
        let caller = Caller {
            api_key_id: ApiKeyId(1),
            company_id: CompanyId(1),
            role: Role::Viewer,
            accounts: None,
            default_account: None,
            credentials: None,
        };
        let record = |expires_at, revoked_at| KeyRecord {
            caller: caller.clone(),
            expires_at,
            revoked_at,
            suspended_at: None,
        };
        let later = now + chrono::TimeDelta::seconds(1);
        assert!(record(None, None).is_valid(now) && record(Some(later), None).is_valid(now));
        assert!(!record(Some(now), None).is_valid(now), "the end is exclusive");
        assert!(
            !record(None, Some(later)).is_valid(now),
            "a revoked key is invalid at any time"
        );
    }
}
