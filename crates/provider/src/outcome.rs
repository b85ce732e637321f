//! How an error reads in the request log.

use dbt_api::ApiError;
use storage::Outcome;

use crate::ProviderError;

/// The outcome of a request that ended in that error.
pub(crate) fn of(error: &ProviderError) -> Outcome {
    match error {
        ProviderError::Api(error) | ProviderError::InAccount { source: error, .. } => of_exchange(error),
        ProviderError::Log(_) => Outcome::Refused,
        ProviderError::Panicked => Outcome::InternalError,
    }
}

fn of_exchange(error: &ApiError) -> Outcome {
    match error {
        ApiError::InvalidRequest { .. } => Outcome::InvalidRequest,
        ApiError::Credentials { .. } => Outcome::Credentials,
        ApiError::NotFound { .. } => Outcome::NotFound,
        ApiError::UnprocessableEntity { .. } => Outcome::UnprocessableEntity,
        ApiError::TooManyRequests { .. } => Outcome::TooManyRequests,
        ApiError::UnexpectedStatus { .. } => Outcome::UnexpectedStatus,
        ApiError::Timeout { .. } => Outcome::Timeout,
        // The row is open and an exchange was begun, so it is not `Refused`; `exchanges` has the error's own name.
        ApiError::Connect(_) | ApiError::ForbiddenAddress => Outcome::Connect,
        ApiError::Disconnected { .. } => Outcome::Disconnected,
        ApiError::Decode { .. } => Outcome::Decode,
        ApiError::TooLarge { .. } => Outcome::TooLarge,
        ApiError::Unsendable(_) => Outcome::InternalError,
    }
}
