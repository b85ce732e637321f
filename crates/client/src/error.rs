//! The errors that callers see.

use std::sync::Arc;

use model::{AccountId, ApiKeyId, Role};
use provider::ProviderError;
use shares::Exhausted;
use storage::StorageError;
use uuid::Uuid;

/// Why a request failed or was refused. `server` maps each variant to an HTTP status.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The key is missing or not valid.
    #[error("no valid API key")]
    Unauthenticated,
    /// Keys cannot be looked up.
    #[error("API keys cannot be checked now")]
    KeysUnavailable,
    /// The gateway is in read-only mode.
    #[error("the gateway is in read-only mode")]
    ReadOnly,
    /// The key's role is not sufficient.
    #[error("this needs the role {needs}, and the key's role is {has}")]
    RoleTooLow {
        /// The lowest sufficient role.
        needs: Role,
        /// The key's role.
        has: Role,
    },
    /// The request is about the whole process, and the key is not of company 1.
    #[error("this is for admins of company 1, which runs the gateway")]
    OtherCompany,
    /// The answer would show a new dbt token, which the settings do not allow.
    #[error("dbt tokens are not made through the gateway")]
    MintsToken,
    /// The company has no credential for that account, or the key may not use it.
    #[error("account {0} is not known here")]
    UnknownAccount(AccountId),
    /// The request names no account, and there is no default.
    #[error("no account is set up for this key")]
    NoAccount,
    /// The request names no account, and the key may use several.
    #[error("several accounts are possible: name one")]
    AmbiguousAccount(Vec<AccountId>),
    /// Credentials cannot be looked up.
    #[error("credentials cannot be looked up now")]
    CredentialsUnavailable,
    /// The company has no credential of that name, or the key may not use its account.
    #[error("credential {0} is not known here")]
    UnknownCredential(String),
    /// The key may use several credentials of the account, but not its default.
    #[error("several credentials of account {account} are possible: name one of {}", names.join(", "))]
    AmbiguousCredential {
        /// The account.
        account: AccountId,
        /// The names of the credentials.
        names: Vec<String>,
    },
    /// The credential cannot be decrypted or read. The others of the company can.
    #[error("credential {credential} of account {account} cannot be read: {reason}")]
    UnreadableCredential {
        /// Its name.
        credential: String,
        /// Its account.
        account: AccountId,
        /// Why; holds no secret.
        reason: Arc<str>,
    },
    /// The company of the key is suspended.
    #[error("the company is suspended")]
    CompanySuspended,
    /// The company has no key with that id.
    #[error("key {0} is not known here")]
    UnknownApiKey(ApiKeyId),
    /// The request log has no such request that the caller may see.
    #[error("request {0} is not known here")]
    UnknownRequest(Uuid),
    /// The time of a summary is too long, or ends before it begins.
    #[error("a summary covers at most 24 hours, and `from` is before `to`")]
    Window,
    /// A share of the gateway's resources is used up.
    #[error(transparent)]
    ShareExhausted(#[from] Exhausted),
    /// The key has as many event streams as it may have.
    #[error("this key has {max} event streams, as many as it may have")]
    TooManyStreams {
        /// How many.
        max: usize,
    },
    /// The events of runs, or the end of a run, cannot be followed any more.
    #[error("the events of runs cannot be followed now")]
    StreamEnded,
    /// The export was aborted because its reader was too slow.
    #[error("the export was aborted")]
    ExportCutOff,
    /// The search of the request log exceeded the statement timeout.
    #[error("the search took too long")]
    SearchTooBroad(#[source] StorageError),
    /// The credential is from the settings, which the API cannot change.
    #[error("credential {0} comes from the settings and cannot be changed here")]
    FromSettings(String),
    /// Another record of the same kind has that name.
    #[error("the name is taken")]
    NameTaken,
    /// A field of the input is invalid.
    #[error("`{field}`: {why}")]
    Invalid {
        /// The field, as the API spells it.
        field: &'static str,
        /// Why it is invalid, and what is valid.
        why: String,
    },
    /// No encryption key is set, so no token can be stored.
    #[error("no encryption key is set: a credential cannot be stored")]
    NoKeyRing,
    /// The gateway's records could not be read or changed.
    #[error("the gateway's records are not available")]
    Records(#[source] StorageError),
    /// An admitted request failed, or a refusal could not be logged.
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
