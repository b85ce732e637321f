//! A company's credentials: list, get, create, update, delete, verify. The token is never shown.

use std::sync::Arc;

use model::{AccountId, CompanyId, IdempotencyKey, Repeatable, RequestType, Target, Upstream, UpstreamSource};
use provider::{ApiError, ProviderError};
use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{Credential, CredentialChange, NewCredential, StoredAnswer};

use crate::access_url::access_url_of;
use crate::own_changes::{Made, made};
use crate::{ClientError, DbtClient};

/// A credential to store.
#[derive(Debug)]
pub struct CreateCredential {
    /// The name, unique within the company.
    pub name: String,
    /// The account that the token is for.
    pub account_id: AccountId,
    /// dbt Cloud's token.
    pub token: SecretString,
    /// The access URL: a host, or an origin.
    pub access_url: String,
    /// The origin of the Discovery API; derived when absent.
    pub metadata_url: Option<String>,
    /// The origin of the Semantic Layer API; derived when absent.
    pub semantic_layer_url: Option<String>,
    /// Whether it is its account's default; the account's first credential always is.
    pub is_default: Option<bool>,
}

impl CreateCredential {
    /// What is asked, without the token.
    fn asked(&self) -> Value {
        json!({
            "name": self.name,
            "account_id": self.account_id,
            "access_url": self.access_url,
            "metadata_url": self.metadata_url,
            "semantic_layer_url": self.semantic_layer_url,
            "is_default": self.is_default,
        })
    }
}

/// The changes to a credential; absent fields stay unchanged.
#[derive(Debug, Default)]
pub struct UpdateCredential {
    /// A new name.
    pub name: Option<String>,
    /// Another account.
    pub account_id: Option<AccountId>,
    /// A new token.
    pub token: Option<SecretString>,
    /// Another access URL; the other two addresses are derived from it unless given.
    pub access_url: Option<String>,
    /// Another origin of the Discovery API.
    pub metadata_url: Option<String>,
    /// Another origin of the Semantic Layer API.
    pub semantic_layer_url: Option<String>,
    /// `true` makes it its account's default.
    pub is_default: Option<bool>,
}

/// A credential without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInfo {
    /// Whether it is stored or from the settings; the API cannot change one from the settings.
    pub source: UpstreamSource,
    /// The stored record; `None` for a credential from the settings.
    pub stored: Option<Credential>,
    /// The name.
    pub name: String,
    /// The account.
    pub account_id: AccountId,
    /// Whether requests for its account that name no credential use it.
    pub is_default: bool,
    /// The access URL.
    pub access_url: String,
    /// The origin of the Discovery API.
    pub metadata_url: String,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: String,
}

/// The result of testing a credential with dbt Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Whether dbt Cloud accepts the token for the account.
    pub verified: bool,
    /// The account's name, if dbt Cloud returned it.
    pub account_name: Option<String>,
    /// The result in words; for a refusal with its likely cause.
    pub detail: String,
}

/// The credentials of the caller's company, for one request.
pub struct CredentialService(DbtClient);

impl DbtClient {
    /// The company's credentials.
    pub fn credentials(self) -> CredentialService {
        CredentialService(self)
    }
}

impl CredentialService {
    /// All credentials, those from the settings first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(self) -> Result<Vec<CredentialInfo>, ClientError> {
        self.0.admit_local(RequestType::ListCredentials, None).await?;
        let mut all: Vec<_> = self
            .settings_credentials()
            .map(|upstream| CredentialInfo::from_settings(&upstream))
            .collect();
        let stored = self.0.shared.records.credentials.list(self.company()).await?;
        let visible = stored
            .into_iter()
            .filter(|credential| self.0.caller.may_use(credential.account_id));
        all.extend(visible.map(CredentialInfo::from));
        Ok(all)
    }

    /// One credential.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get(self, name: &str) -> Result<CredentialInfo, ClientError> {
        self.0.admit_local(RequestType::GetCredential, None).await?;
        if let Some(upstream) = self.settings_credentials().find(|upstream| upstream.name == name) {
            return Ok(CredentialInfo::from_settings(&upstream));
        }
        Ok(self.stored(name).await?.into())
    }

    /// Stores a credential. A repeat of the idempotency key gets the first answer.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Invalid`] for an access URL that is not accepted; those of a repeat.
    pub async fn create(
        self,
        input: CreateCredential,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<Repeatable<CredentialInfo>, ClientError> {
        let request_type = RequestType::CreateCredential;
        self.0.admit_local(request_type, Some(input.account_id)).await?;
        let key = idempotency_key.map(|key| {
            let key = self.0.own_key(request_type, key, input.asked());
            key.with_secret("token", &input.token)
        });
        let records = &self.0.shared.records.credentials;
        if let Some(key) = &key
            && let Made::Before(first) = made(records.check_unused(key).await)?
        {
            return repeated(&first);
        }
        let new = NewCredential {
            idempotency_key: key,
            ..self.checked(input)?
        };
        let (stamp, by) = (&self.0.stamp, Some(self.0.caller.api_key_id));
        let created = match made(records.create(self.company(), stamp, by, new).await)? {
            Made::Now(created) => created,
            Made::Before(first) => return repeated(&first),
        };
        self.0.shared.upstreams.forget(self.0.caller.company_id);
        Ok(Repeatable::first(created.into()))
    }

    /// The credential to store.
    fn checked(&self, input: CreateCredential) -> Result<NewCredential, ClientError> {
        self.require_not_from_settings(&input.name)
            .map_err(|_| ClientError::NameTaken)?;
        let addresses = self.0.shared.settings.access_rules.addresses(
            &input.access_url,
            input.metadata_url.as_deref(),
            input.semantic_layer_url.as_deref(),
        )?;
        Ok(NewCredential {
            name: input.name,
            account_id: input.account_id,
            admin_url: addresses.admin,
            metadata_url: addresses.metadata,
            semantic_layer_url: addresses.semantic_layer,
            token: input.token,
            is_default: input.is_default,
            idempotency_key: None,
        })
    }

    /// Changes a credential. A change of address requires the token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn update(self, name: &str, patch: UpdateCredential) -> Result<CredentialInfo, ClientError> {
        self.0
            .admit_local(RequestType::UpdateCredential, patch.account_id)
            .await?;
        self.require_not_from_settings(name)?;
        if let Some(new_name) = &patch.name {
            self.require_not_from_settings(new_name)
                .map_err(|_| ClientError::NameTaken)?;
        }
        let old = self.stored(name).await?;
        let changes_address = [&patch.access_url, &patch.metadata_url, &patch.semantic_layer_url]
            .iter()
            .any(|url| url.is_some());
        if changes_address && patch.token.is_none() {
            // Otherwise an admin, who cannot read the token, could have it sent to another host.
            let why = "a change of address needs the token: the stored token is only sent to its own address";
            return Err(ClientError::invalid("token", why));
        }
        let rules = self.0.shared.settings.access_rules;
        let (metadata, semantic_layer) = (patch.metadata_url.as_deref(), patch.semantic_layer_url.as_deref());
        let access_url = patch
            .access_url
            .clone()
            .unwrap_or_else(|| access_url_of(&old.admin_url));
        let addresses = rules.addresses(&access_url, metadata, semantic_layer)?;
        let new_access_url = patch.access_url.is_some();
        let change = CredentialChange {
            new_name: patch.name,
            account_id: patch.account_id,
            admin_url: new_access_url.then_some(addresses.admin),
            metadata_url: (new_access_url || metadata.is_some()).then_some(addresses.metadata),
            semantic_layer_url: (new_access_url || semantic_layer.is_some()).then_some(addresses.semantic_layer),
            token: patch.token,
            is_default: patch.is_default,
        };
        let records = &self.0.shared.records.credentials;
        let by = Some(self.0.caller.api_key_id);
        let changed = records.update(self.company(), &self.0.stamp, by, name, change).await?;
        self.0.shared.upstreams.forget(self.0.caller.company_id);
        // The lists of keys may have changed.
        self.0.shared.keys.forget_company(self.0.caller.company_id);
        changed
            .map(Into::into)
            .ok_or_else(|| ClientError::UnknownCredential(name.to_owned()))
    }

    /// Deletes a credential.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete(self, name: &str) -> Result<(), ClientError> {
        self.0.admit_local(RequestType::DeleteCredential, None).await?;
        self.require_not_from_settings(name)?;
        self.stored(name).await?;
        let records = &self.0.shared.records.credentials;
        let by = Some(self.0.caller.api_key_id);
        let deleted = records.delete(self.company(), &self.0.stamp, by, name).await?;
        self.0.shared.upstreams.forget(self.0.caller.company_id);
        self.0.shared.keys.forget_company(self.0.caller.company_id);
        if deleted {
            Ok(())
        } else {
            Err(ClientError::UnknownCredential(name.to_owned()))
        }
    }

    /// Tests with dbt Cloud whether the token is valid for the account.
    ///
    /// # Errors
    /// [`ClientError`] where dbt Cloud could not be reached.
    pub async fn verify(self, name: &str) -> Result<Verification, ClientError> {
        let target = Target {
            account: None,
            credential: Some(name.to_owned()),
        };
        let (provider, ctx) = self.0.admit(RequestType::VerifyCredential, target).await?;
        let account_id = ctx.account_id();
        let refused = |detail: String| Verification {
            verified: false,
            account_name: None,
            detail,
        };
        match provider.verify_credential(ctx).await {
            Ok(account) => Ok(Verification {
                verified: true,
                account_name: account.name,
                detail: format!("dbt Cloud accepts the token for account {account_id}."),
            }),
            Err(ProviderError::Api(ApiError::Credentials { status, message })) if status.as_u16() == 401 => {
                Ok(refused(format!(
                    "dbt Cloud answered 401: token unknown at this host, check the access URL. {message}"
                )))
            }
            Err(ProviderError::Api(ApiError::Credentials { message, .. })) => Ok(refused(format!(
                "dbt Cloud answered 403: the gateway's address may not be on the account's IP allow-list, or the token \
                 may not read the account. {message}"
            ))),
            Err(ProviderError::Api(ApiError::NotFound { message })) => Ok(refused(format!(
                "dbt Cloud answered 404: account {account_id} is not the token's account, or does not exist. {message}"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    fn company(&self) -> CompanyId {
        self.0.caller.company_id
    }

    /// The company's credentials from the settings that the key may use.
    fn settings_credentials(&self) -> impl Iterator<Item = Arc<Upstream>> {
        let all = self.0.shared.upstreams.settings_credentials(self.company()).into_iter();
        all.filter(|upstream| self.0.caller.may_use(upstream.account_id))
    }

    fn require_not_from_settings(&self, name: &str) -> Result<(), ClientError> {
        if self
            .0
            .shared
            .upstreams
            .settings_credentials(self.company())
            .iter()
            .any(|upstream| upstream.name == name)
        {
            return Err(ClientError::FromSettings(name.to_owned()));
        }
        Ok(())
    }

    /// The stored credential, if the key may use its account.
    async fn stored(&self, name: &str) -> Result<Credential, ClientError> {
        let found = self.0.shared.records.credentials.get(self.company(), name).await?;
        found
            .filter(|credential| self.0.caller.may_use(credential.account_id))
            .ok_or_else(|| ClientError::UnknownCredential(name.to_owned()))
    }
}

impl CredentialInfo {
    fn from_settings(upstream: &Upstream) -> Self {
        Self {
            source: UpstreamSource::Settings,
            stored: None,
            name: upstream.name.clone(),
            account_id: upstream.account_id,
            is_default: true,
            access_url: access_url_of(&upstream.admin_url),
            metadata_url: upstream.metadata_url.to_string(),
            semantic_layer_url: upstream.semantic_layer_url.to_string(),
        }
    }
}

impl From<Credential> for CredentialInfo {
    fn from(credential: Credential) -> Self {
        Self {
            source: UpstreamSource::Stored,
            name: credential.name.clone(),
            account_id: credential.account_id,
            is_default: credential.is_default,
            access_url: access_url_of(&credential.admin_url),
            metadata_url: credential.metadata_url.to_string(),
            semantic_layer_url: credential.semantic_layer_url.to_string(),
            stored: Some(credential),
        }
    }
}

/// The first answer to an idempotency key.
fn repeated(first: &StoredAnswer) -> Result<Repeatable<CredentialInfo>, ClientError> {
    let first: Credential = serde_json::from_str(&first.body).map_err(|_| ProviderError::Panicked)?;
    Ok(Repeatable::repeated(first.into()))
}
