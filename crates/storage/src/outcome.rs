//! How a request ended: the column `outcome` of the request log and the label of the metrics.

metric_families::label_by_name!(Outcome);

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// dbt Cloud carried out the request.
    Succeeded,
    /// dbt Cloud answered 400.
    InvalidRequest,
    /// dbt Cloud answered 401 or 403: it refused the gateway's token.
    Credentials,
    /// dbt Cloud answered 404.
    NotFound,
    /// dbt Cloud answered 422.
    UnprocessableEntity,
    /// dbt Cloud answered 429.
    TooManyRequests,
    /// The account's budget of requests was used up, or dbt Cloud's cooldown was not over: a part or all of the request was
    /// not sent.
    BudgetExhausted,
    /// The run's state does not allow the request.
    Conflict,
    /// dbt Cloud answered with another status outside 2xx.
    UnexpectedStatus,
    /// dbt Cloud did not answer in time.
    Timeout,
    /// dbt Cloud could not be reached.
    Connect,
    /// The connection to dbt Cloud broke before the answer was complete.
    Disconnected,
    /// dbt Cloud's answer could not be read.
    Decode,
    /// dbt Cloud's answer was longer than the limit.
    TooLarge,
    /// The gateway failed.
    InternalError,
    /// Refused by the gate, or the row could not be opened; dbt Cloud was not contacted.
    Refused,
    /// A streamed answer ended early.
    Truncated,
    /// The caller disconnected before the end of the answer.
    CallerGone,
    /// The process died; what happened at dbt Cloud is unknown.
    Abandoned,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 19] = [
        Self::Succeeded,
        Self::InvalidRequest,
        Self::Credentials,
        Self::NotFound,
        Self::UnprocessableEntity,
        Self::TooManyRequests,
        Self::BudgetExhausted,
        Self::Conflict,
        Self::UnexpectedStatus,
        Self::Timeout,
        Self::Connect,
        Self::Disconnected,
        Self::Decode,
        Self::TooLarge,
        Self::InternalError,
        Self::Refused,
        Self::Truncated,
        Self::CallerGone,
        Self::Abandoned,
    ];

    /// The value in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::InvalidRequest => "invalid_request",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::UnprocessableEntity => "unprocessable_entity",
            Self::TooManyRequests => "too_many_requests",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Conflict => "conflict",
            Self::UnexpectedStatus => "unexpected_status",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Disconnected => "disconnected",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
            Self::InternalError => "internal_error",
            Self::Refused => "refused",
            Self::Truncated => "truncated",
            Self::CallerGone => "caller_gone",
            Self::Abandoned => "abandoned",
        }
    }
}
