//! Callers' keys: made here, stored as hashes, looked up by hash.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, Caller, CompanyId, RequestStamp, RequestType, Role};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::request_log::{Closing, FixedPart, LogRow, Outcome, RowLimits, ensure_partition, insert_rows};
use crate::{Database, StorageError};

/// The SHA-256 of a whole key. Without the key it opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Every key starts with this, so that a leaked one can be recognised.
    pub const MARK: &str = "dgw_";
    const PREFIX_CHARS: usize = 8;
    const SECRET_CHARS: usize = 64;

    /// The hash of what a caller presents; `None` when it has not the form of a key, which needs no look-up.
    pub fn of(presented: &str) -> Option<Self> {
        let (prefix, secret) = presented.strip_prefix(Self::MARK)?.split_once('_')?;
        let hex = |text: &str, chars| text.len() == chars && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hex(prefix, Self::PREFIX_CHARS) && hex(secret, Self::SECRET_CHARS))
            .then(|| Self(Sha256::digest(presented.as_bytes()).into()))
    }
}

/// A key to make.
#[derive(Debug, Clone)]
pub struct KeyOrder {
    /// The company it belongs to.
    pub company_id: CompanyId,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// A key just made. The only moment at which its text exists here.
#[derive(Debug)]
pub struct NewKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What the caller presents from now on: `dgw_`, 8 hex digits, `_`, 256 random bits in hex.
    pub key: SecretString,
}

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

/// The table `api_key`.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    pool: PgPool,
}

impl ApiKeys {
    /// The keys of that database.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
        }
    }

    /// Makes a key, and its row in the request log in the same transaction.
    ///
    /// # Errors
    /// [`StorageError::NoSuchCompany`], [`StorageError::Query`].
    pub async fn create(&self, stamp: &RequestStamp, order: &KeyOrder) -> Result<NewKey, StorageError> {
        let prefix = hex::encode(rand::random::<[u8; 4]>());
        let key = SecretString::from(format!(
            "{}{prefix}_{}",
            KeyHash::MARK,
            hex::encode(rand::random::<[u8; 32]>())
        ));
        let hash = Sha256::digest(key.expose_secret().as_bytes());

        let mut transaction = self.pool.begin().await?;
        let company = sqlx::query!("SELECT id FROM company WHERE id = $1", order.company_id.0)
            .fetch_optional(&mut *transaction)
            .await?;
        if company.is_none() {
            return Err(StorageError::NoSuchCompany(order.company_id));
        }
        let row = sqlx::query!(
            "INSERT INTO api_key (company_id, name, prefix, key_hash, role) VALUES ($1, $2, $3, $4, $5)
             RETURNING id, created_at",
            order.company_id.0,
            order.name,
            prefix,
            hash.as_slice(),
            order.role.as_str(),
        )
        .fetch_one(&mut *transaction)
        .await?;
        let logged = creation_row(stamp, order, row.id, row.created_at);
        ensure_partition(&mut transaction, stamp.started_at().date_naive()).await?;
        insert_rows(&mut *transaction, &[logged]).await?;
        transaction.commit().await?;
        Ok(NewKey {
            id: ApiKeyId(row.id),
            key,
        })
    }

    /// Whether keys can be looked up now.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn ping(&self) -> Result<(), StorageError> {
        sqlx::query!("SELECT FROM api_key LIMIT 1")
            .fetch_optional(&self.pool)
            .await?;
        Ok(())
    }

    /// The key with that hash, whether or not it is still valid.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StorageError> {
        let row = sqlx::query!(
            "SELECT id, company_id, role, accounts, default_account_id, expires_at, revoked_at
             FROM api_key WHERE key_hash = $1",
            hash.0.as_slice(),
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let role = row
                .role
                .parse()
                .map_err(|error: model::UnknownRole| StorageError::Row {
                    table: "api_key",
                    reason: error.to_string(),
                })?;
            Ok(KeyRecord {
                caller: Caller {
                    api_key_id: ApiKeyId(row.id),
                    company_id: CompanyId(row.company_id),
                    role,
                    accounts: row.accounts.map(|ids| ids.into_iter().map(AccountId).collect()),
                    default_account: row.default_account_id.map(AccountId),
                },
                expires_at: row.expires_at,
                revoked_at: row.revoked_at,
            })
        })
        .transpose()
    }
}

fn creation_row(stamp: &RequestStamp, order: &KeyOrder, id: i64, finished_at: DateTime<Utc>) -> LogRow {
    let limits = RowLimits::default();
    let request_type = RequestType::CreateApiKey;
    let args = json!({"api_key_id": id, "name": order.name, "role": order.role});
    let fixed = FixedPart::new(stamp, request_type, order.company_id, &args, &limits);
    fixed.closed(Closing::new(Outcome::Succeeded, stamp, finished_at, None, &limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_in_the_form_of_a_key_is_looked_up() {
        let key = format!("dgw_0123abcd_{}", "0f".repeat(32));
        assert!(KeyHash::of(&key).is_some());
        for bad in [
            "",
            "dgw_",
            "dgw_0123abcd",
            &key[..key.len() - 1],
            &key.replace("dgw", "xyz"),
            &format!("{key}0"),
        ] {
            assert_eq!(KeyHash::of(bad), None, "{bad}");
        }
    }

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
