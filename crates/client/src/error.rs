//! Why a caller gets no answer, in the caller's words.

use model::{AccountId, Role};
use provider::ProviderError;

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
    /// The company has no credential for that account, or the key may not use it.
    #[error("account {0} is not known here")]
    UnknownAccount(AccountId),
    /// No account was named, and there is none to fall back on.
    #[error("no account is set up for this key")]
    NoAccount,
    /// No account was named, and the key may use several.
    #[error("several accounts are possible: name one")]
    AmbiguousAccount(Vec<AccountId>),
    /// The request was admitted and failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}
