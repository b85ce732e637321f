//! A company's keys: what its admins may see of them, make and revoke.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, RequestType, Role};
use storage::{ApiKeyInfo, CreateKey, NewKey};

use crate::{ClientError, DbtClient};

/// A key to make.
#[derive(Debug, Clone)]
pub struct CreateApiKey {
    /// What people call it.
    pub name: String,
    /// What it may do; not more than the key that makes it.
    pub role: Role,
    /// The accounts it may use; `None`: every account of the company that the making key may use.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of a request that names none.
    pub default_account: Option<AccountId>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
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
    /// All of them, revoked ones included.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(self) -> Result<Vec<ApiKeyInfo>, ClientError> {
        self.0.admit_own(RequestType::ListApiKeys, None).await?;
        Ok(self.0.shared.records.api_keys.list(self.company()).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get(self, id: ApiKeyId) -> Result<ApiKeyInfo, ClientError> {
        self.0.admit_own(RequestType::GetApiKey, None).await?;
        let found = self.0.shared.records.api_keys.get(self.company(), id).await?;
        found.ok_or(ClientError::UnknownApiKey(id))
    }

    /// Makes one. Its text is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ClientError`]; a key makes no key that may do more than itself.
    pub async fn create(self, order: CreateApiKey) -> Result<(NewKey, ApiKeyInfo), ClientError> {
        let caller = &self.0.caller;
        let accounts = order.accounts.or_else(|| caller.accounts.clone());
        let mut named = accounts.iter().flatten().chain(&order.default_account);
        // One that the key may not use itself is the gate's to refuse.
        let beyond = named.find(|account| !caller.may_use(**account)).copied();
        self.0.admit_own(RequestType::CreateApiKey, beyond).await?;
        if order.role > caller.role {
            return Err(ClientError::RoleTooLow {
                needs: order.role,
                has: caller.role,
            });
        }
        if let (Some(list), Some(default)) = (&accounts, order.default_account)
            && !list.contains(&default)
        {
            return Err(ClientError::invalid("default_account_id", "it is not in `accounts`"));
        }
        if order.expires_at.is_some_and(|end| end <= self.0.shared.clock.now()) {
            return Err(ClientError::invalid("expires_at", "it has passed already"));
        }
        let order = CreateKey {
            accounts,
            default_account: order.default_account,
            expires_at: order.expires_at,
            by: Some(caller.api_key_id),
            ..CreateKey::new(caller.company_id, order.name, order.role)
        };
        let records = &self.0.shared.records.api_keys;
        let new = records.create(&self.0.stamp, &order).await?;
        let info = records
            .get(caller.company_id, new.id)
            .await?
            .ok_or(ClientError::UnknownApiKey(new.id))?;
        Ok((new, info))
    }

    /// Revokes one, for good; holds here at once and in every replica within 5 seconds. Revoking again is fine.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(self, id: ApiKeyId) -> Result<(), ClientError> {
        self.0.admit_own(RequestType::RevokeApiKey, None).await?;
        let by = Some(self.0.caller.api_key_id);
        let revoked = self
            .0
            .shared
            .records
            .api_keys
            .revoke(self.company(), &self.0.stamp, by, id)
            .await?;
        self.0.shared.keys.forget();
        revoked.map(drop).ok_or(ClientError::UnknownApiKey(id))
    }

    fn company(&self) -> CompanyId {
        self.0.caller.company_id
    }
}
