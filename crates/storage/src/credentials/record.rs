//! The types of a credential: new, listed, changed, and with its token.

use chrono::{DateTime, Utc};
use model::AccountId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::error::StorageError;
use crate::idempotency_keys::NewIdempotencyKey;

/// The id of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CredentialId(pub i64);

/// A credential, without its token. Serialised, it is the first answer to an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Its name within its company: [`CredentialChange::NAME_RULE`].
    pub name: String,
    /// The account of the token.
    pub account_id: AccountId,
    /// The base URL of the Administrative API: everything before `/v2/…`.
    pub admin_url: Url,
    /// The origin of the Discovery API.
    pub metadata_url: Url,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: Url,
    /// Whether requests for its account use it if they name no credential. True for one credential of each account.
    pub is_default: bool,
    /// Starts at 1 and increases with every change except re-encryption.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it reached this version.
    pub updated_at: DateTime<Utc>,
}

/// A credential with its token.
#[derive(Debug, Clone)]
pub struct LoadedCredential {
    /// Everything except the token.
    pub credential: Credential,
    /// dbt Cloud's token.
    pub token: SecretString,
}

/// A credential that cannot be used, since its row is damaged or its encryption key is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableCredential {
    /// Its name.
    pub name: String,
    /// The account of the token.
    pub account_id: AccountId,
    /// Whether requests for its account use it if they name no credential.
    pub is_default: bool,
    /// Why, in words; holds no secret.
    pub reason: String,
}

/// A credential to create.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// Its name within its company: [`CredentialChange::NAME_RULE`].
    pub name: String,
    /// The account of the token.
    pub account_id: AccountId,
    /// The base URL of the Administrative API: everything before `/v2/…`.
    pub admin_url: Url,
    /// The origin of the Discovery API.
    pub metadata_url: Url,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: Url,
    /// dbt Cloud's token.
    pub token: SecretString,
    /// `Some(true)`: it becomes its account's default. The first one of an account always does.
    pub is_default: Option<bool>,
    /// The caller's key for the request.
    pub idempotency_key: Option<NewIdempotencyKey>,
}

/// Changes of a credential; `None`: unchanged.
#[derive(Debug, Clone, Default)]
pub struct CredentialChange {
    /// New name.
    pub new_name: Option<String>,
    /// New account. It becomes the default there only if it is the first one or `is_default` is `Some(true)`. In the old
    /// account the effect is that of deletion.
    pub account_id: Option<AccountId>,
    /// New base URL of the Administrative API. Another origin requires `token`.
    pub admin_url: Option<Url>,
    /// New origin of the Discovery API. Requires `token`.
    pub metadata_url: Option<Url>,
    /// New origin of the Semantic Layer API. Requires `token`.
    pub semantic_layer_url: Option<Url>,
    /// New token.
    pub token: Option<SecretString>,
    /// `Some(true)`: it becomes its account's default. `Some(false)`: the oldest other one becomes it, if any.
    pub is_default: Option<bool>,
}

impl NewCredential {
    pub(super) fn check(&self) -> Result<(), StorageError> {
        check_name(&self.name)?;
        check_url("admin_url", &self.admin_url)?;
        check_url("metadata_url", &self.metadata_url)?;
        check_url("semantic_layer_url", &self.semantic_layer_url)
    }
}

impl CredentialChange {
    /// The rule for names: a path segment that URL normalisation cannot remove.
    pub const NAME_RULE: &str =
        "a credential's name has 1 to 100 of the characters A-Z a-z 0-9 . _ - and begins with a letter or digit";

    pub(super) fn check(&self) -> Result<(), StorageError> {
        self.new_name.as_deref().map_or(Ok(()), check_name)?;
        for (field, url) in self.urls() {
            url.map_or(Ok(()), |url| check_url(field, url))?;
        }
        Ok(())
    }

    /// Whether the stored token would be sent to another origin than before.
    pub(super) fn redirects_token_of(&self, old: &Credential) -> bool {
        let stored = [&old.admin_url, &old.metadata_url, &old.semantic_layer_url];
        let moves = |((_, new), old): ((_, Option<&Url>), &Url)| new.is_some_and(|new| new.origin() != old.origin());
        self.token.is_none() && self.urls().into_iter().zip(stored).any(moves)
    }

    /// The logged form: never a token; only the origin of an address.
    pub(super) fn logged(&self) -> Value {
        let mut logged = json!({});
        if let Some(name) = &self.new_name {
            logged["name"] = json!(name);
        }
        if let Some(account) = self.account_id {
            logged["account_id"] = json!(account);
        }
        for (field, url) in self.urls() {
            if let Some(url) = url {
                logged[field] = json!(origin(url));
            }
        }
        if self.token.is_some() {
            logged["token_replaced"] = json!(true);
        }
        if let Some(is_default) = self.is_default {
            logged["is_default"] = json!(is_default);
        }
        logged
    }

    fn urls(&self) -> [(&'static str, Option<&Url>); 3] {
        [
            ("admin_url", self.admin_url.as_ref()),
            ("metadata_url", self.metadata_url.as_ref()),
            ("semantic_layer_url", self.semantic_layer_url.as_ref()),
        ]
    }
}

/// Scheme, host and port, the logged part of an address.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn check_name(name: &str) -> Result<(), StorageError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(StorageError::InvalidName(CredentialChange::NAME_RULE))
    }
}

fn check_url(field: &'static str, url: &Url) -> Result<(), StorageError> {
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.as_str().len() <= 2048;
    if is_plain {
        Ok(())
    } else {
        Err(StorageError::InvalidUrl(field))
    }
}

pub(super) struct CredentialRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) account_id: i64,
    pub(super) admin_url: String,
    pub(super) metadata_url: String,
    pub(super) semantic_layer_url: String,
    pub(super) is_default: bool,
    pub(super) version: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl TryFrom<CredentialRow> for Credential {
    type Error = StorageError;

    fn try_from(row: CredentialRow) -> Result<Self, StorageError> {
        let url = |text: &str| {
            Url::parse(text).map_err(|error| StorageError::Row {
                table: "credential",
                reason: format!("invalid address of {}: {error}", row.name),
            })
        };
        Ok(Self {
            id: CredentialId(row.id),
            account_id: AccountId(row.account_id),
            admin_url: url(&row.admin_url)?,
            metadata_url: url(&row.metadata_url)?,
            semantic_layer_url: url(&row.semantic_layer_url)?,
            is_default: row.is_default,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            name: row.name,
        })
    }
}
