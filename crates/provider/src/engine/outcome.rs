//! How an error reads in the request log.

use dbt_api::ApiError;
use http::StatusCode;
use storage::Outcome;

use crate::ProviderError;

/// The outcome of a request that ended in that error.
pub(crate) fn of(error: &ProviderError) -> Outcome {
    match error {
        ProviderError::Api(error)
        | ProviderError::Change(error)
        | ProviderError::BeforeChange(error)
        | ProviderError::InAccount { source: error, .. } => of_exchange(error),
        ProviderError::RunNotVisibleYet(_) | ProviderError::NoResultsStep(_) | ProviderError::NoEndedRun(_) => {
            Outcome::NotFound
        }
        ProviderError::RunFinished { .. }
        | ProviderError::CannotRetry { .. }
        | ProviderError::RunActive { .. }
        | ProviderError::IdempotencyInFlight(_)
        | ProviderError::IdempotencyNotReplayable(_)
        | ProviderError::IdempotencyUnresolved(_) => Outcome::Conflict,
        ProviderError::IdempotencyMismatch(_) => Outcome::UnprocessableEntity,
        ProviderError::TriggerUnresolved(unresolved) => {
            unresolved.source.as_ref().map_or(Outcome::Conflict, of_exchange)
        }
        ProviderError::JobBusy(_) | ProviderError::Ledger(_) => Outcome::Refused,
        ProviderError::Log(_) | ProviderError::ShareExhausted(_) | ProviderError::Stopped { was_sent: false } => {
            Outcome::Refused
        }
        ProviderError::Gathering(_) | ProviderError::Order(_) => Outcome::InvalidRequest,
        ProviderError::TooMuch(_) => Outcome::TooLarge,
        ProviderError::Stopped { was_sent: true } => Outcome::Abandoned,
        // Never in a row: the change ends by itself.
        ProviderError::GoesOn(_) => Outcome::Timeout,
        ProviderError::Panicked => Outcome::InternalError,
    }
}

fn of_exchange(error: &ApiError) -> Outcome {
    match error {
        ApiError::InvalidRequest { .. } => Outcome::InvalidRequest,
        ApiError::Credentials { .. } => Outcome::Credentials,
        ApiError::NotFound { .. } => Outcome::NotFound,
        ApiError::UnprocessableEntity { .. } | ApiError::Graphql { .. } => Outcome::UnprocessableEntity,
        ApiError::TooManyRequests { .. } => Outcome::TooManyRequests,
        ApiError::Rejected { status, .. } if *status == StatusCode::CONFLICT => Outcome::Conflict,
        ApiError::Rejected { .. } | ApiError::SaysFailed { .. } | ApiError::UnexpectedStatus { .. } => {
            Outcome::UnexpectedStatus
        }
        ApiError::Timeout { .. } => Outcome::Timeout,
        // The row is open and an exchange was begun, so it is not `Refused`; `exchanges` has the error's own name.
        ApiError::Connect(_) | ApiError::NotProcessed(_) | ApiError::ForbiddenAddress => Outcome::Connect,
        ApiError::Disconnected { .. } => Outcome::Disconnected,
        ApiError::Decode { .. } | ApiError::Incomplete { .. } => Outcome::Decode,
        ApiError::TooLarge { .. } => Outcome::TooLarge,
        ApiError::BudgetExhausted { .. } => Outcome::BudgetExhausted,
        // For one exchange among others the row has their status.
        ApiError::ShareExhausted { .. } | ApiError::BudgetUnavailable(_) | ApiError::CircuitOpen { .. } => {
            Outcome::Refused
        }
        ApiError::Unsendable(_) => Outcome::InternalError,
    }
}

/// The outcome of a request whose answer was passed on with that status.
pub(crate) fn of_status(status: StatusCode) -> Outcome {
    match status {
        StatusCode::BAD_REQUEST => Outcome::InvalidRequest,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Credentials,
        StatusCode::NOT_FOUND => Outcome::NotFound,
        StatusCode::UNPROCESSABLE_ENTITY => Outcome::UnprocessableEntity,
        StatusCode::TOO_MANY_REQUESTS => Outcome::TooManyRequests,
        StatusCode::NOT_MODIFIED => Outcome::Succeeded,
        status if status.is_success() => Outcome::Succeeded,
        _ => Outcome::UnexpectedStatus,
    }
}
