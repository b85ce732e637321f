//! The errors of one exchange with dbt Cloud. `client` and `server` choose the texts for callers of the gateway.
//!
//! Created in `response.rs` (error statuses, also those of an envelope), `collect.rs` (too slow, too large), `exchange_error.rs` (no answer) and `guard.rs`
//! (forbidden address).

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use shares::Exhausted;

/// The error of a library, without its type, so that no library is part of the public signatures. Cloned where several
/// requests share one exchange.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Cause {
    fn from(error: E) -> Self {
        Self(Arc::from(error.into()))
    }
}

impl Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why one exchange with dbt Cloud gave no usable answer. Contains no token and no URL.
///
/// `message` is dbt's text (`status.user_message`, else `status.developer_message`), else a short excerpt of the body. It
/// is never empty, has no control characters and at most 1000 characters.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// 400: dbt Cloud rejected the request.
    #[error("dbt Cloud rejected the request: {message}")]
    InvalidRequest {
        /// dbt's text.
        message: String,
        /// The answer's `data` if it is an object or a list: the invalid fields.
        fields: Option<Value>,
    },
    /// 401 or 403. A token is valid only at its own host, so 401 may also mean a wrong access URL; 403 may mean that the
    /// gateway's address is not on the account's IP allow-list.
    #[error("dbt Cloud refused our credentials ({status}): {message}")]
    Credentials {
        /// 401 or 403.
        status: StatusCode,
        /// dbt's text.
        message: String,
    },
    /// 404: there is no such resource, or the token may not see it. dbt Cloud does not distinguish the two.
    #[error("dbt Cloud has no such resource, or its token may not see it: {message}")]
    NotFound {
        /// dbt's text.
        message: String,
    },
    /// 422: well formed, but dbt Cloud cannot process it.
    #[error("dbt Cloud cannot process this: {message}")]
    UnprocessableEntity {
        /// dbt's text.
        message: String,
        /// As in [`ApiError::InvalidRequest`].
        fields: Option<Value>,
    },
    /// 429: the account's rate limit is reached (5,000 requests a minute; dbt then refuses all requests for five minutes).
    #[error("dbt Cloud's rate limit is reached: {message}")]
    TooManyRequests {
        /// dbt's text.
        message: String,
        /// How long to wait before the next request, at most a day, if dbt says so.
        retry_after: Option<Duration>,
    },
    /// Any other 4xx, except 408: dbt Cloud does not do this. A change was not made.
    #[error("dbt Cloud refused the request ({status}): {message}")]
    Rejected {
        /// dbt's status.
        status: StatusCode,
        /// dbt's text.
        message: String,
        /// As in [`ApiError::InvalidRequest`].
        fields: Option<Value>,
    },
    /// A 2xx whose envelope says that the request failed, and names no status.
    #[error("dbt Cloud says that the request failed: {message}")]
    SaysFailed {
        /// dbt's HTTP status, a 2xx.
        status: StatusCode,
        /// dbt's text.
        message: String,
    },
    /// What came of a list is not what dbt Cloud promised.
    #[error("dbt Cloud's list is incomplete: {gap}")]
    Incomplete {
        /// dbt's status, a 2xx.
        status: StatusCode,
        /// What is wrong.
        gap: Gap,
    },
    /// Any other status that is not 2xx: 408, 5xx, and redirects, which are not followed.
    #[error("dbt Cloud answered {status}: {message}")]
    UnexpectedStatus {
        /// dbt's status.
        status: StatusCode,
        /// dbt's text.
        message: String,
        /// How long to wait before the next request, at most a day, if dbt says so.
        retry_after: Option<Duration>,
    },
    /// No byte arrived within the read timeout, or the answer was not complete within the deadline. Whether a change took
    /// effect is unknown.
    #[error("dbt Cloud did not answer in time")]
    Timeout {
        /// The status, if the head of an answer arrived.
        status: Option<StatusCode>,
        /// The limit that was exceeded.
        source: Cause,
    },
    /// No connection (name, address, TLS, connect timeout): dbt Cloud has not received the request.
    #[error("could not reach dbt Cloud")]
    Connect(#[source] Cause),
    /// The access URL of a stored credential resolves to an address that is not public. Nothing was sent. The address is not
    /// shown, since it would reveal the gateway's network.
    #[error(
        "the credential's access URL points to an address that is not public, \
         which only the setting upstream.allow_private_addresses allows; dbt Cloud was not contacted"
    )]
    ForbiddenAddress,
    /// The server refused the request or closed the connection before it processed the request, as the protocol guarantees
    /// (HTTP/2 GOAWAY or `REFUSED_STREAM`, or no byte was sent). Even a change may be sent again.
    #[error("dbt Cloud closed the connection or refused the request before it processed the request")]
    NotProcessed(#[source] Cause),
    /// The connection broke, or the answer was not valid HTTP or not validly compressed. Whether a change took effect is
    /// unknown.
    #[error("the connection to dbt Cloud broke")]
    Disconnected {
        /// The status, if the head of an answer arrived.
        status: Option<StatusCode>,
        /// The error of the connection.
        source: Cause,
    },
    /// A 2xx whose body is not the expected JSON.
    #[error("unreadable answer from dbt Cloud ({status})")]
    Decode {
        /// dbt's status.
        status: StatusCode,
        /// The error of the decoder.
        source: Cause,
    },
    /// A 2xx whose body is longer than the limit for bodies in memory.
    #[error("dbt Cloud's answer ({status}) is longer than {limit_bytes} bytes")]
    TooLarge {
        /// dbt's status.
        status: StatusCode,
        /// The limit, in bytes after decompression.
        limit_bytes: usize,
    },
    /// A GraphQL answer that contains errors, with any status except 401, 403 and 429.
    #[error("dbt Cloud did not answer the GraphQL query: {message}")]
    Graphql {
        /// dbt's status, usually 200.
        status: StatusCode,
        /// The first error's message.
        message: String,
        /// All errors, unchanged.
        errors: Vec<Value>,
        /// The partial result; usually null.
        data: Value,
    },
    /// The budget of the account's requests is used up, or dbt Cloud's cooldown is not over. Nothing was sent.
    #[error("{}", shortage.text())]
    BudgetExhausted {
        /// Why.
        shortage: Shortage,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The budget could not be read. Nothing was sent.
    #[error("the budget of the account's requests could not be read; dbt Cloud was not contacted")]
    BudgetUnavailable(#[source] Cause),
    /// The share of exchanges or of memory is used up. Without `status` nothing was sent.
    #[error("{source}")]
    ShareExhausted {
        /// The status, if the answer had begun.
        status: Option<StatusCode>,
        /// Which share.
        source: Exhausted,
    },
    /// The credential's exchanges with this host fail, so that for a while none is sent. Nothing was sent.
    #[error("dbt Cloud's recent answers to this credential were errors or late, so it is not asked for {} ms", retry_after.as_millis())]
    CircuitOpen {
        /// When the next exchange may be tried.
        retry_after: Duration,
    },
    /// The request cannot be built (a token with a line break, an address that is not HTTP). Nothing was sent.
    #[error("the request to dbt Cloud cannot be sent")]
    Unsendable(#[source] Cause),
}

/// What a list lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// Fewer entries than the list has.
    #[error("{came} of {promised} entries came")]
    Missing {
        /// The number of different entries that came.
        came: u64,
        /// The number that dbt Cloud promised.
        promised: u64,
    },
    /// A page without entries before the end.
    #[error("the page from entry {offset} is empty, of {total} entries")]
    Empty {
        /// The offset of the page.
        offset: u64,
        /// The length of the list.
        total: u64,
    },
    /// The same entries again instead of the next ones.
    #[error("the page from entry {offset} repeats earlier entries")]
    Repeats {
        /// The offset of the page.
        offset: u64,
    },
    /// Entries were deleted each time that a page was read again.
    #[error("it changed too often while it was read")]
    Moving,
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// The budget is used up.
    UsedUp,
    /// dbt Cloud answered 429, and its cooldown is not over.
    Cooldown,
}

impl Shortage {
    fn text(self) -> &'static str {
        match self {
            Self::UsedUp => {
                "the budget of requests to this account is used up (budget.admin_per_minute, budget.discovery_per_minute)"
            }
            Self::Cooldown => {
                "dbt Cloud has refused this account's requests for a while (429), and that time is not over"
            }
        }
    }
}

/// The deadline of an exchange has passed.
#[derive(Debug, thiserror::Error)]
#[error("the answer was not whole within {0:?}")]
struct DeadlinePassed(Duration);

impl ApiError {
    /// The answer was not whole within `limit`; `status` is that of the head, if it arrived.
    pub fn deadline_passed(status: Option<StatusCode>, limit: Duration) -> Self {
        Self::Timeout {
            status,
            source: DeadlinePassed(limit).into(),
        }
    }

    /// dbt Cloud's status; `None` if no answer began.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::InvalidRequest { .. } => Some(StatusCode::BAD_REQUEST),
            Self::NotFound { .. } => Some(StatusCode::NOT_FOUND),
            Self::UnprocessableEntity { .. } => Some(StatusCode::UNPROCESSABLE_ENTITY),
            Self::TooManyRequests { .. } => Some(StatusCode::TOO_MANY_REQUESTS),
            Self::Credentials { status, .. }
            | Self::Rejected { status, .. }
            | Self::SaysFailed { status, .. }
            | Self::Incomplete { status, .. }
            | Self::UnexpectedStatus { status, .. }
            | Self::Decode { status, .. }
            | Self::TooLarge { status, .. }
            | Self::Graphql { status, .. } => Some(*status),
            Self::Timeout { status, .. } | Self::Disconnected { status, .. } | Self::ShareExhausted { status, .. } => {
                *status
            }
            Self::Connect(_)
            | Self::NotProcessed(_)
            | Self::ForbiddenAddress
            | Self::CircuitOpen { .. }
            | Self::BudgetExhausted { .. }
            | Self::BudgetUnavailable(_)
            | Self::Unsendable(_) => None,
        }
    }

    /// Whether a *read* may be retried: the connection failed or broke, before the answer or within its body, or the status
    /// is 408, 502, 503 or 504. Not after 429, and not after a local timeout, which has used up the caller's time. Changes
    /// are retried after [`ApiError::NotProcessed`] only.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::NotProcessed(_) | Self::Disconnected { .. } => true,
            Self::UnexpectedStatus { status, .. } | Self::Graphql { status, .. } => is_transient(*status),
            _ => false,
        }
    }

    /// Whether the gateway itself did not send the request, for want of a share or of budget.
    pub fn was_held_back(&self) -> bool {
        matches!(
            self,
            Self::BudgetExhausted { .. }
                | Self::BudgetUnavailable(_)
                | Self::CircuitOpen { .. }
                | Self::ShareExhausted { status: None, .. }
        )
    }

    /// How long to wait before the next request, at most a day, if dbt Cloud says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } | Self::UnexpectedStatus { retry_after, .. } => *retry_after,
            Self::CircuitOpen { retry_after } | Self::BudgetExhausted { retry_after, .. } => Some(*retry_after),
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
            Self::Rejected { .. } => "rejected",
            Self::SaysFailed { .. } => "says_failed",
            Self::Incomplete { .. } => "incomplete",
            Self::UnexpectedStatus { .. } => "unexpected_status",
            Self::Timeout { .. } => "timeout",
            Self::Connect(_) => "connect",
            Self::NotProcessed(_) => "not_processed",
            Self::ForbiddenAddress => "forbidden_address",
            Self::Disconnected { .. } => "disconnected",
            Self::Decode { .. } => "decode",
            Self::TooLarge { .. } => "too_large",
            Self::Graphql { .. } => "graphql",
            Self::BudgetExhausted { .. } => "budget_exhausted",
            Self::BudgetUnavailable(_) => "budget_unavailable",
            Self::ShareExhausted { .. } => "share_exhausted",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::Unsendable(_) => "unsendable",
        }
    }
}

/// Whether a read may be retried after this status.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 502 | 503 | 504)
}

/// The sources of an error, outermost first.
pub(crate) fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
