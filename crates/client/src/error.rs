//! Why a caller gets no answer, in the caller's words.

use model::{AccountId, ApiKeyId, Role};
use provider::ProviderError;
use storage::StorageError;
use uuid::Uuid;

/// Everything that can stand between a caller and its answer. `server` maps each to a status, in one place.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No key came, or one that opens nothing.
    #[error("no valid API key")]
    Unauthenticated,
    /// Whether the key is valid cannot be told now.
    #[error("API keys cannot be checked now")]
    KeysUnavailable,
    /// The whole gateway only reads for now.
    #[error("the gateway is in read-only mode")]
    ReadOnly,
    /// The key's role does not allow it.
    #[error("this needs the role {needs}, and the key's role is {has}")]
    RoleTooLow {
        /// The weakest role that may.
        needs: Role,
        /// The key's role.
        has: Role,
    },
    /// It is about the whole process, and the key is of a company that only uses it.
    #[error("this is for admins of company 1, which runs the gateway")]
    OtherCompany,
    /// Its answer would show a new dbt token, which the settings do not allow.
    #[error("dbt tokens are not made through the gateway")]
    MintsToken,
    /// The company has no credential for that account, or the key may not use it.
    #[error("account {0} is not known here")]
    UnknownAccount(AccountId),
    /// No account was named, and there is none to fall back on.
    #[error("no account is set up for this key")]
    NoAccount,
    /// No account was named, and the key may use several.
    #[error("several accounts are possible: name one")]
    AmbiguousAccount(Vec<AccountId>),
    /// Which credentials the company holds cannot be told now.
    #[error("credentials cannot be looked up now")]
    CredentialsUnavailable,
    /// The company has no credential of that name, or the key may not use its account.
    #[error("credential {0} is not known here")]
    UnknownCredential(String),
    /// The company has no key with that id.
    #[error("key {0} is not known here")]
    UnknownApiKey(ApiKeyId),
    /// There is no such request on record, or none that this caller may see.
    #[error("request {0} is not known here")]
    UnknownRequest(Uuid),
    /// The time to sum up is too long, or ends before it begins.
    #[error("a summary covers at most 24 hours, and `from` is before `to`")]
    Window,
    /// As many exports as there may be are under way.
    #[error("too many exports of the request log are under way")]
    TooManyExports,
    /// The reader of an export took no rows for too long.
    #[error("the export was cut off")]
    ExportCutOff,
    /// The search of the request log was given up.
    #[error("the search took too long")]
    SearchTooBroad(#[source] StorageError),
    /// The credential comes from the settings, which the API does not change.
    #[error("credential {0} comes from the settings and cannot be changed here")]
    FromSettings(String),
    /// Another record of the same kind has that name already.
    #[error("the name is taken")]
    NameTaken,
    /// What was asked for cannot be.
    #[error("`{field}`: {why}")]
    Invalid {
        /// The field of the order, as callers spell it.
        field: &'static str,
        /// Why not, and what can be.
        why: String,
    },
    /// No encryption key is set, so no token can be stored.
    #[error("no encryption key is set: a credential cannot be stored")]
    NoKeyRing,
    /// The gateway's own records could not be read or changed.
    #[error("the gateway's records are not available")]
    Records(#[source] StorageError),
    /// The request was admitted and failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl ClientError {
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }
}

impl From<StorageError> for ClientError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NameTaken => Self::NameTaken,
            StorageError::NoKeyRing => Self::NoKeyRing,
            StorageError::InvalidName(_) => Self::invalid("name", error.to_string()),
            StorageError::InvalidUrl(_) => Self::invalid("access_url", error.to_string()),
            StorageError::DefaultAccountNotAllowed(_) => Self::invalid("default_account_id", error.to_string()),
            StorageError::TokenRequired => Self::invalid("token", error.to_string()),
            StorageError::TooSlow(_) => Self::SearchTooBroad(error),
            other => Self::Records(other),
        }
    }
}
