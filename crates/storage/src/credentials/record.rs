//! What a credential is: as it is asked for, listed, changed, and ready for use.

use chrono::{DateTime, Utc};
use model::AccountId;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::StorageError;

/// The id of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(pub i64);

/// A credential, without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Its name within its company: [`CredentialChange::NAME_RULE`].
    pub name: String,
    /// The account that the token is for.
    pub account_id: AccountId,
    /// Everything before `/v2/…` of the Administrative API.
    pub admin_url: Url,
    /// The origin of the Discovery API.
    pub metadata_url: Url,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: Url,
    /// Whether it serves requests for its account that name no credential. Exactly one of an account's does.
    pub is_default: bool,
    /// From 1; goes up whenever anything of it but the key that seals its token changes.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it got its version.
    pub updated_at: DateTime<Utc>,
}

/// A credential with its token, ready for use.
#[derive(Debug, Clone)]
pub struct LoadedCredential {
    /// All but the token.
    pub credential: Credential,
    /// dbt Cloud's token.
    pub token: SecretString,
}

/// A credential to make.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// Its name within its company: [`CredentialChange::NAME_RULE`].
    pub name: String,
    /// The account that the token is for.
    pub account_id: AccountId,
    /// Everything before `/v2/…` of the Administrative API.
    pub admin_url: Url,
    /// The origin of the Discovery API.
    pub metadata_url: Url,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: Url,
    /// dbt Cloud's token.
    pub token: SecretString,
    /// `Some(true)`: it becomes its account's default. The first one of an account does in any case.
    pub is_default: Option<bool>,
}

/// What to change of a credential; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct CredentialChange {
    /// Another name.
    pub new_name: Option<String>,
    /// Another account: there it becomes the default only if wanted or the first, and it leaves the old account as if
    /// deleted.
    pub account_id: Option<AccountId>,
    /// Another address of the Administrative API. One of another origin needs `token` as well.
    pub admin_url: Option<Url>,
    /// Another origin of the Discovery API. It needs `token` as well.
    pub metadata_url: Option<Url>,
    /// Another origin of the Semantic Layer API. It needs `token` as well.
    pub semantic_layer_url: Option<Url>,
    /// Another token.
    pub token: Option<SecretString>,
    /// `Some(true)`: it becomes its account's default. `Some(false)`: the oldest other one does, if there is one.
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
    /// What a credential's name is: one segment of a path, whatever a client makes of dots.
    pub const NAME_RULE: &str =
        "a credential's name has 1 to 100 of the characters A-Z a-z 0-9 . _ - and begins with a letter or digit";

    pub(super) fn check(&self) -> Result<(), StorageError> {
        self.new_name.as_deref().map_or(Ok(()), check_name)?;
        for (field, url) in self.urls() {
            url.map_or(Ok(()), |url| check_url(field, url))?;
        }
        Ok(())
    }

    /// Whether the stored token would go to another origin than it was given for.
    pub(super) fn redirects_token_of(&self, old: &Credential) -> bool {
        let stored = [&old.admin_url, &old.metadata_url, &old.semantic_layer_url];
        let moves = |((_, new), old): ((_, Option<&Url>), &Url)| new.is_some_and(|new| new.origin() != old.origin());
        self.token.is_none() && self.urls().into_iter().zip(stored).any(moves)
    }

    /// What the log tells of it: never a token; of an address only the origin.
    pub(super) fn told(&self) -> Value {
        let mut told = json!({});
        if let Some(name) = &self.new_name {
            told["name"] = json!(name);
        }
        if let Some(account) = self.account_id {
            told["account_id"] = json!(account);
        }
        for (field, url) in self.urls() {
            if let Some(url) = url {
                told[field] = json!(origin(url));
            }
        }
        if self.token.is_some() {
            told["token"] = json!("replaced");
        }
        if let Some(is_default) = self.is_default {
            told["is_default"] = json!(is_default);
        }
        told
    }

    fn urls(&self) -> [(&'static str, Option<&Url>); 3] {
        [
            ("admin_url", self.admin_url.as_ref()),
            ("metadata_url", self.metadata_url.as_ref()),
            ("semantic_layer_url", self.semantic_layer_url.as_ref()),
        ]
    }
}

/// Scheme, host and port: what a row of the log keeps of an address.
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
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.as_str().len() <= 2048;
    if bare {
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
                reason: format!("an address of {} is none: {error}", row.name),
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
