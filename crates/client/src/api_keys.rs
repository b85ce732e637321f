//! A company's API keys: list, get, create, revoke.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, IdempotencyKey, RequestType, Role};
use provider::ProviderError;
use serde_json::{Value, json};
use storage::{ApiKeyInfo, CreateKey, NewKey, Revocation, StorageError};
use tracing::Instrument as _;

use crate::own_changes::{Made, made};
use crate::{ClientError, DbtClient};

/// A key to create.
#[derive(Debug, Clone)]
pub struct CreateApiKey {
    /// A name for people.
    pub name: String,
    /// The role, at most that of the creating key.
    pub role: Role,
    /// The accounts it may use; `None`: those that the creating key may use.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of requests that name none.
    pub default_account: Option<AccountId>,
    /// The names of the credentials it may use; `None`: those that the creating key may use.
    pub credentials: Option<Vec<String>>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
}

impl CreateApiKey {
    /// What is asked.
    fn asked(&self) -> Value {
        json!({
            "name": self.name,
            "role": self.role,
            "accounts": self.accounts,
            "default_account_id": self.default_account,
            "credentials": self.credentials,
            "expires_at": self.expires_at,
        })
    }
}

/// The keys of the caller's company, for one request.
pub struct ApiKeyService(DbtClient);

impl DbtClient {
    /// The company's keys.
    pub fn api_keys(self) -> ApiKeyService {
        ApiKeyService(self)
    }
}

impl ApiKeyService {
    /// All keys, including revoked ones.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(self) -> Result<Vec<ApiKeyInfo>, ClientError> {
        self.0.admit_local(RequestType::ListApiKeys, None).await?;
        Ok(self.0.shared.records.api_keys.list(self.company()).await?)
    }

    /// One key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get(self, id: ApiKeyId) -> Result<ApiKeyInfo, ClientError> {
        self.0.admit_local(RequestType::GetApiKey, None).await?;
        let found = self.0.shared.records.api_keys.get(self.company(), id).await?;
        found.ok_or(ClientError::UnknownApiKey(id))
    }

    /// Creates a key. Its text is only in this answer, so a repeat of the idempotency key does not get it.
    ///
    /// # Errors
    /// [`ClientError`], also where the new key would have more rights than the creating one;
    /// [`ProviderError::IdempotencyNotReplayable`] for a repeat.
    pub async fn create(
        self,
        input: CreateApiKey,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<(NewKey, ApiKeyInfo), ClientError> {
        let caller = &self.0.caller;
        let request_type = RequestType::CreateApiKey;
        let key = idempotency_key.map(|key| self.0.own_key(request_type, key, input.asked()));
        let accounts = input.accounts.or_else(|| caller.accounts.clone());
        let mut named = accounts.iter().flatten().chain(&input.default_account);
        // The gate refuses an account that the creating key may not use.
        let forbidden = named.find(|account| !caller.may_use(**account)).copied();
        self.0.admit_local(request_type, forbidden).await?;
        let records = &self.0.shared.records.api_keys;
        if let Some(key) = &key {
            now(records.check_unused(key).await)?;
        }
        if input.role > caller.role {
            return Err(ClientError::RoleTooLow {
                needs: input.role,
                has: caller.role,
            });
        }
        if let (Some(list), Some(default)) = (&accounts, input.default_account)
            && !list.contains(&default)
        {
            return Err(ClientError::invalid("default_account_id", "it is not in `accounts`"));
        }
        let credentials = input.credentials.or_else(|| caller.credentials.clone());
        if let Some(names) = &credentials
            && let Some(unusable) = self.0.shared.upstreams.not_usable(caller, names).await?
        {
            return Err(ClientError::UnknownCredential(unusable.clone()));
        }
        if input.expires_at.is_some_and(|end| end <= self.0.shared.clock.now()) {
            return Err(ClientError::invalid("expires_at", "it is in the past"));
        }
        let new_key = CreateKey {
            accounts,
            default_account: input.default_account,
            credentials,
            expires_at: input.expires_at,
            by: Some(caller.api_key_id),
            idempotency_key: key,
            ..CreateKey::new(caller.company_id, input.name, input.role)
        };
        let created = now(records.create(&self.0.stamp, &new_key).await)?;
        let info = records
            .get(caller.company_id, created.id)
            .await?
            .ok_or(ClientError::UnknownApiKey(created.id))?;
        Ok((created, info))
    }

    /// Revokes a key permanently: in this process immediately, in every replica within 5 seconds. Idempotent. It works
    /// also while the request log cannot be written: its row then follows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(self, id: ApiKeyId) -> Result<(), ClientError> {
        self.0.admit_local(RequestType::RevokeApiKey, None).await?;
        // In a task: a caller that disconnects after the commit must not take the row with it.
        let revoking = tokio::spawn(self.revoke_admitted(id).in_current_span());
        revoking.await.unwrap_or_else(|_| Err(ProviderError::Panicked.into()))
    }

    async fn revoke_admitted(self, id: ApiKeyId) -> Result<(), ClientError> {
        let shared = &self.0.shared;
        let slot = shared.log.reserve_unrefused();
        let (stamp, by) = (&self.0.stamp, Some(self.0.caller.api_key_id));
        let revoked = shared.records.api_keys.revoke(self.company(), stamp, by, id).await;
        // After an error as well: it may have happened.
        shared.keys.forget(id);
        let Revocation { row, .. } = revoked?.ok_or(ClientError::UnknownApiKey(id))?;
        let written = match slot {
            Ok(slot) => slot.close(row).committed_within(shared.settings.row_wait).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::error!(
                api_key.id = %id,
                error = &error as &dyn std::error::Error,
                "a key was revoked, and its row is not written yet"
            );
        }
        Ok(())
    }

    fn company(&self) -> CompanyId {
        self.0.caller.company_id
    }
}

/// What was made by this request. No answer with a key's text is stored, so there is none of an earlier one.
fn now<T>(result: Result<T, StorageError>) -> Result<T, ClientError> {
    match made(result)? {
        Made::Now(value) => Ok(value),
        Made::Before(_) => Err(ProviderError::Panicked.into()),
    }
}
