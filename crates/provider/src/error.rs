//! What can go wrong between the gate and the answer.

use dbt_api::ApiError;
use model::AccountId;
use storage::LogError;

/// Why a request has no answer from dbt Cloud, or must not have one.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// An exchange with dbt Cloud failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An exchange failed with one of the several accounts that the request is about.
    #[error("account {account}")]
    InAccount {
        /// Which one.
        account: AccountId,
        /// What failed.
        source: ApiError,
    },
    /// The request's row could not be committed: for a change, dbt Cloud was not contacted.
    #[error("the request could not be logged")]
    Log(#[from] LogError),
    /// A GraphQL query whose pages cannot be gathered; the text says what it lacks.
    #[error("the pages cannot be gathered: {0}")]
    Gathering(&'static str),
    /// The answer is longer than a limit of the settings; the text names it.
    #[error("the answer is longer than {0}")]
    TooMuch(&'static str),
    /// The request's own code panicked; the row says so.
    #[error("the request failed inside the gateway")]
    Panicked,
}
