//! Who presents this key? And when was it last presented?

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, Caller, CompanyId};

use super::{ApiKeys, KeyHash, role_of};
use crate::StorageError;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whom it authenticates.
    pub caller: Caller,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl KeyRecord {
    /// Whether the key opens anything at `now`.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl ApiKeys {
    /// The key with that hash, whether or not it is still valid.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StorageError> {
        let row = sqlx::query!(
            "SELECT id, company_id, key_hash, role, accounts, default_account_id, expires_at, revoked_at
             FROM api_key WHERE key_hash = $1",
            hash.as_bytes(),
        )
        .fetch_optional(&self.pool)
        .await?;
        // The index compares hashes, of which nobody can choose the start; this comparison tells nothing at all.
        let Some(row) = row.filter(|row| hash.is(&row.key_hash)) else {
            return Ok(None);
        };
        Ok(Some(KeyRecord {
            caller: Caller {
                api_key_id: ApiKeyId(row.id),
                company_id: CompanyId(row.company_id),
                role: role_of(&row.role)?,
                accounts: row.accounts.map(|ids| ids.into_iter().map(AccountId).collect()),
                default_account: row.default_account_id.map(AccountId),
            },
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        }))
    }

    /// Notes that these keys were used at `at`, to the minute. A later use that is already noted stays.
    ///
    /// One statement; a key that was noted in the same minute is not written again, so calling it often costs little.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn touch(&self, ids: &[ApiKeyId], at: DateTime<Utc>) -> Result<(), StorageError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        // Locked in the order of their ids, so that replicas that note the same keys do not block each other.
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
    fn an_expired_or_revoked_key_opens_nothing() {
        let now = DateTime::UNIX_EPOCH;
        let caller = Caller {
            api_key_id: ApiKeyId(1),
            company_id: CompanyId(1),
            role: Role::Viewer,
            accounts: None,
            default_account: None,
        };
        let record = |expires_at, revoked_at| KeyRecord {
            caller: caller.clone(),
            expires_at,
            revoked_at,
        };
        let later = now + chrono::TimeDelta::seconds(1);
        assert!(record(None, None).is_valid(now) && record(Some(later), None).is_valid(now));
        assert!(!record(Some(now), None).is_valid(now), "the end itself is too late");
        assert!(!record(None, Some(later)).is_valid(now), "revoked is revoked");
    }
}
