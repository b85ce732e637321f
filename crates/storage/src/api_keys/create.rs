//! Making a key. Its text exists here once, in the answer.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType, Role};
use secrecy::SecretString;
use serde_json::json;

use super::ApiKeys;
use super::key_hash::FreshKey;
use crate::StorageError;
use crate::own_records::{Change, check_display_name};

/// A key to make.
#[derive(Debug, Clone)]
pub struct CreateKey {
    /// The company it belongs to.
    pub company_id: CompanyId,
    /// What people call it, 1 to 200 characters; several keys may have one name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The accounts it may use; `None` means every account its company holds.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of a request that names none; one of `accounts`, where there is a list.
    pub default_account: Option<AccountId>,
    /// From when on it is refused; `None` means never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The key that asks for it; `None` for a command.
    pub by: Option<ApiKeyId>,
}

impl CreateKey {
    /// An order by a command: for every account of the company, without an end.
    pub fn new(company_id: CompanyId, name: impl Into<String>, role: Role) -> Self {
        Self {
            company_id,
            name: name.into(),
            role,
            accounts: None,
            default_account: None,
            expires_at: None,
            by: None,
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

/// A key just made. The only moment at which its text exists here.
#[derive(Debug)]
pub struct NewKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What the caller presents from now on: `dgw_`, 8 hex digits, `_`, 256 random bits in hex.
    pub key: SecretString,
}

impl ApiKeys {
    /// Makes a key, and its row in the request log in the same transaction.
    ///
    /// # Errors
    /// [`StorageError::InvalidName`], [`StorageError::DefaultAccountNotAllowed`], [`StorageError::NoSuchCompany`],
    /// [`StorageError::Query`].
    pub async fn create(&self, stamp: &RequestStamp, order: &CreateKey) -> Result<NewKey, StorageError> {
        order.check()?;
        let key = FreshKey::draw();
        let accounts = order.accounts.as_ref().map(|ids| ids.iter().map(|id| id.0).collect());
        let accounts: Option<Vec<i64>> = accounts;

        let mut transaction = self.pool.begin().await?;
        let company = sqlx::query!("SELECT id FROM company WHERE id = $1", order.company_id.0)
            .fetch_optional(&mut *transaction)
            .await?;
        if company.is_none() {
            return Err(StorageError::NoSuchCompany(order.company_id));
        }
        let row = sqlx::query!(
            "INSERT INTO api_key (company_id, name, prefix, key_hash, role, accounts, default_account_id, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             RETURNING id",
            order.company_id.0,
            order.name,
            key.prefix,
            key.hash.as_bytes(),
            order.role.as_str(),
            accounts.as_deref(),
            order.default_account.map(i64::from),
            order.expires_at,
        )
        .fetch_one(&mut *transaction)
        .await?;

        let mut args = json!({"api_key_id": row.id, "name": order.name, "role": order.role});
        if let Some(accounts) = &order.accounts {
            args["accounts"] = json!(accounts);
        }
        if let Some(default) = order.default_account {
            args["default_account"] = json!(default);
        }
        if let Some(end) = order.expires_at {
            args["expires_at"] = json!(end);
        }
        Change::new(stamp, RequestType::CreateApiKey, order.company_id, order.by)
            .commit(transaction, &self.metrics, &args)
            .await?;
        Ok(NewKey {
            id: ApiKeyId(row.id),
            key: key.text,
        })
    }
}
