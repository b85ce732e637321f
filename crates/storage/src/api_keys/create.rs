//! Creates a key. Its text is returned once and not stored.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType, Role};
use secrecy::SecretString;
use serde_json::json;

use super::key::GeneratedKey;
use super::table::ApiKeys;
use crate::audited_change::AuditedChange;
use crate::bounded_pool::BoundedTransaction;
use crate::display_name::check_display_name;
use crate::error::StorageError;
use crate::idempotency_keys::{NewIdempotencyKey, OwnAnswer, begin_own, check_unused, end_own};

/// A key to create.
#[derive(Debug, Clone)]
pub struct CreateKey {
    /// Its company.
    pub company_id: CompanyId,
    /// 1 to 200 characters; need not be unique.
    pub name: String,
    /// Its permissions.
    pub role: Role,
    /// The accounts it may use; `None`: all accounts of its company.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of requests that name none; must be in `accounts`, if given.
    pub default_account: Option<AccountId>,
    /// The names of the credentials it may use; `None`: see
    /// [`Caller::may_use_credential`](model::Caller::may_use_credential).
    pub credentials: Option<Vec<String>>,
    /// End of its validity; `None`: no end.
    pub expires_at: Option<DateTime<Utc>>,
    /// The caller's key; `None` for a command.
    pub by: Option<ApiKeyId>,
    /// The caller's idempotency key for the request.
    pub idempotency_key: Option<NewIdempotencyKey>,
}

impl CreateKey {
    /// A key created by a command, for all accounts of the company and without an end.
    pub fn new(company_id: CompanyId, name: impl Into<String>, role: Role) -> Self {
        Self {
            company_id,
            name: name.into(),
            role,
            accounts: None,
            default_account: None,
            credentials: None,
            expires_at: None,
            by: None,
            idempotency_key: None,
        }
    }

    fn check(&self) -> Result<(), StorageError> {
        check_display_name(&self.name)?;
        match (&self.accounts, self.default_account) {
            (Some(accounts), Some(default)) if !accounts.contains(&default) => {
                Err(StorageError::DefaultAccountNotAllowed(default))
            }
            _ => Ok(()),
        }
    }
}

/// A created key with its text.
#[derive(Debug)]
pub struct NewKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its callers send: `dgw_`, 8 hex digits, `_`, 256 random bits in hex.
    pub key: SecretString,
}

impl ApiKeys {
    /// Creates a key, and its row in the request log in the same transaction.
    ///
    /// # Errors
    /// [`StorageError::InvalidName`], [`StorageError::DefaultAccountNotAllowed`], [`StorageError::NoSuchCompany`],
    /// [`StorageError::Repeated`], [`StorageError::Query`].
    pub async fn create(&self, stamp: &RequestStamp, new: &CreateKey) -> Result<NewKey, StorageError> {
        new.check()?;
        let key = GeneratedKey::generate();
        let accounts = new.accounts.as_ref().map(|ids| ids.iter().map(|id| id.0).collect());
        let accounts: Option<Vec<i64>> = accounts;

        let create = async |mut transaction: BoundedTransaction| {
            let idempotency_key = new.idempotency_key.as_ref();
            begin_own(&mut transaction, idempotency_key).await?;
            let company = sqlx::query!("SELECT id FROM company WHERE id = $1", new.company_id.0)
                .fetch_optional(&mut *transaction)
                .await?;
            if company.is_none() {
                return Err(StorageError::NoSuchCompany(new.company_id));
            }
            let row = sqlx::query!(
                "INSERT INTO api_key
                     (company_id, name, prefix, key_hash, role, accounts, default_account_id, credentials, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 RETURNING id",
                new.company_id.0,
                new.name,
                key.prefix,
                key.hash.as_bytes(),
                new.role.as_str(),
                accounts.as_deref(),
                new.default_account.map(i64::from),
                new.credentials.as_deref(),
                new.expires_at,
            )
            .fetch_one(&mut *transaction)
            .await?;
            let made = OwnAnswer::<()>::Secret(ApiKeyId(row.id));
            end_own(&mut transaction, idempotency_key, made).await?;

            let mut args = json!({"api_key_id": row.id, "name": new.name, "role": new.role});
            if let Some(accounts) = &new.accounts {
                args["accounts"] = json!(accounts);
            }
            if let Some(default) = new.default_account {
                args["default_account"] = json!(default);
            }
            if let Some(credentials) = &new.credentials {
                args["credentials"] = json!(credentials);
            }
            if let Some(end) = new.expires_at {
                args["expires_at"] = json!(end);
            }
            if let Some(key) = idempotency_key {
                args["idempotency_key"] = json!(key.key.as_str());
            }
            AuditedChange::new(stamp, RequestType::CreateApiKey, new.company_id, new.by)
                .commit(transaction, &self.metrics, &args)
                .await?;
            Ok(ApiKeyId(row.id))
        };
        let id = self.pool.transaction(create).await?;
        Ok(NewKey { id, key: key.text })
    }

    /// Checks that a request with that idempotency key is the first one. Changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Repeated`]; [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn check_unused(&self, key: &NewIdempotencyKey) -> Result<(), StorageError> {
        check_unused(&self.pool, key).await
    }
}
