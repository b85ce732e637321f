//! What can go wrong in one exchange with dbt Cloud.
//!
//! Made in `response.rs` (dbt answered with an error), `collect.rs` (too slow, too large), `http.rs` (no answer) and
//! `guard.rs` (an address that may not be asked).
//! No words for callers of the gateway here: `client` and `server` choose those.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

/// A cause from a library below, without its type, so that no library shows in our signatures.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why one exchange with dbt Cloud gave no usable answer. Holds no token and no URL.
///
/// `message` is always dbt's own text (`status.user_message`, else `status.developer_message`), else a short excerpt
/// of whatever came; it is never empty, has no control characters and is at most 1000 characters long.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: dbt Cloud found the request wrong.
    #[error("dbt Cloud rejected the request: {message}")]
    InvalidRequest {
        /// dbt's text.
        message: String,
        /// The answer's `data` where it is an object or a list: what is wrong with which field.
        fields: Option<Value>,
    },
    /// 401 or 403. A token is known only at its own host, so 401 may also mean a wrong access URL; 403 may mean that
    /// our address is not on the account's IP allow-list.
    #[error("dbt Cloud refused our credentials ({status}): {message}")]
    Credentials {
        /// 401 or 403.
        status: StatusCode,
        /// dbt's text.
        message: String,
    },
    /// 404: there is no such resource, or the token may not see it; dbt Cloud does not say which.
    #[error("dbt Cloud has no such resource, or its token may not see it: {message}")]
    NotFound {
        /// dbt's text.
        message: String,
    },
    /// 422: well formed, but dbt Cloud cannot do it.
    #[error("dbt Cloud cannot process this: {message}")]
    UnprocessableEntity {
        /// dbt's text.
        message: String,
        /// As in [`ApiError::InvalidRequest`].
        fields: Option<Value>,
    },
    /// 429: the account's rate limit is reached (5,000 requests a minute; dbt then refuses everybody for five minutes).
    #[error("dbt Cloud's rate limit is reached: {message}")]
    TooManyRequests {
        /// dbt's text.
        message: String,
        /// How long to stay away, at most a day, where dbt says so.
        retry_after: Option<Duration>,
    },
    /// Any other status that is not 2xx, redirects included: they are never followed.
    #[error("dbt Cloud answered {status}: {message}")]
    UnexpectedStatus {
        /// dbt's status.
        status: StatusCode,
        /// dbt's text.
        message: String,
        /// How long to stay away, at most a day, where dbt says so.
        retry_after: Option<Duration>,
    },
    /// Nothing came for the read timeout, or the whole answer took longer than the deadline. What a change did is
    /// unknown.
    #[error("dbt Cloud did not answer in time")]
    Timeout {
        /// The status, where at least the head of an answer had come.
        status: Option<StatusCode>,
        /// Which limit was passed.
        source: BoxError,
    },
    /// There was no connection (name, address, TLS, connect timeout): dbt Cloud has seen nothing of the request.
    #[error("could not reach dbt Cloud")]
    Connect(#[source] BoxError),
    /// The access URL of a stored credential leads to an address that is not public. Nothing was sent. Which address
    /// it is stays untold, since a caller could map our network with it.
    #[error(
        "the credential's access URL points to an address that is not public, \
         which only the setting upstream.allow_private_addresses allows; dbt Cloud was not contacted"
    )]
    ForbiddenAddress,
    /// The connection broke, or what came on it was not HTTP or not compressed as it claimed. What a change did is
    /// unknown.
    #[error("the connection to dbt Cloud broke")]
    Disconnected {
        /// The status, where at least the head of an answer had come.
        status: Option<StatusCode>,
        /// What the connection says.
        source: BoxError,
    },
    /// A 2xx whose body is not the JSON that was asked for.
    #[error("unreadable answer from dbt Cloud ({status})")]
    Decode {
        /// dbt's status.
        status: StatusCode,
        /// Where the JSON went wrong.
        source: BoxError,
    },
    /// A 2xx whose body is longer than we are ready to hold in memory.
    #[error("dbt Cloud's answer ({status}) is longer than {limit_bytes} bytes")]
    TooLarge {
        /// dbt's status.
        status: StatusCode,
        /// The limit, in bytes after decompression.
        limit_bytes: usize,
    },
    /// A GraphQL answer with errors in it; its status says nothing.
    #[error("dbt Cloud did not answer the GraphQL query: {message}")]
    Graphql {
        /// dbt's status, mostly 200.
        status: StatusCode,
        /// The first error's message.
        message: String,
        /// All errors, as dbt tells them.
        errors: Vec<Value>,
        /// What was answered all the same; mostly null.
        data: Value,
    },
    /// The request could not even be written down (a token with a line break, an address that is no HTTP address).
    /// Nothing was sent.
    #[error("the request to dbt Cloud cannot be sent")]
    Unsendable(#[source] BoxError),
}

impl ApiError {
    /// The status dbt Cloud answered with; `None` where no answer began.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::InvalidRequest { .. } => Some(StatusCode::BAD_REQUEST),
            Self::NotFound { .. } => Some(StatusCode::NOT_FOUND),
            Self::UnprocessableEntity { .. } => Some(StatusCode::UNPROCESSABLE_ENTITY),
            Self::TooManyRequests { .. } => Some(StatusCode::TOO_MANY_REQUESTS),
            Self::Credentials { status, .. }
            | Self::UnexpectedStatus { status, .. }
            | Self::Decode { status, .. }
            | Self::TooLarge { status, .. }
            | Self::Graphql { status, .. } => Some(*status),
            Self::Timeout { status, .. } | Self::Disconnected { status, .. } => *status,
            Self::Connect(_) | Self::ForbiddenAddress | Self::Unsendable(_) => None,
        }
    }

    /// Whether a *read* may be sent again: no answer began because the connection failed or broke, or the answer is
    /// 408, 502, 503 or 504. Never 429, and never a timeout of ours, which has used up the patience already. Says
    /// nothing about changes: those are never sent again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Disconnected { status: None, .. } => true,
            Self::UnexpectedStatus { status, .. } => is_transient(*status),
            _ => false,
        }
    }

    /// How long dbt Cloud wants us to stay away, at most a day; `None` where it does not say.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } | Self::UnexpectedStatus { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The spelling of the request log: the variant in `snake_case`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::Credentials { .. } => "credentials",
            Self::NotFound { .. } => "not_found",
            Self::UnprocessableEntity { .. } => "unprocessable_entity",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::UnexpectedStatus { .. } => "unexpected_status",
            Self::Timeout { .. } => "timeout",
            Self::Connect(_) => "connect",
            Self::ForbiddenAddress => "forbidden_address",
            Self::Disconnected { .. } => "disconnected",
            Self::Decode { .. } => "decode",
            Self::TooLarge { .. } => "too_large",
            Self::Graphql { .. } => "graphql",
            Self::Unsendable(_) => "unsendable",
        }
    }
}

/// The statuses after which a read may be sent again.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 502 | 503 | 504)
}
