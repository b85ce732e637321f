//! Classifies the errors of `reqwest`.

use std::error::Error;

use http::StatusCode;

use crate::error::causes;
use crate::{ApiError, guard};

/// The reason why there is no answer or, with `status`, only a part of it. A connect timeout is a failure to connect: dbt
/// Cloud has not received the request.
pub(crate) fn exchange_error(error: reqwest::Error, status: Option<StatusCode>) -> ApiError {
    let error = error.without_url();
    if error.is_builder() {
        ApiError::Unsendable(error.into())
    } else if guard::has_refused(&error) {
        ApiError::ForbiddenAddress
    } else if error.is_connect() {
        ApiError::Connect(error.into())
    } else if error.is_timeout() && !causes(&error).any(<dyn Error + 'static>::is::<hyper::Error>) {
        // `hyper`'s own timeouts are those of a dead connection: an unanswered PING, TCP's user timeout.
        let source = error.into();
        ApiError::Timeout { status, source }
    } else {
        let source = error.into();
        ApiError::Disconnected { status, source }
    }
}
