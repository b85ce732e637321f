//! One row of the request log: the part that stands when a request arrives, and how it ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::{
    AccountId, ApiKeyId, ClientContext, CompanyId, Destination, InstanceId, JobId, RequestStamp, RequestType, RunId,
    Surface,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::clean::{CleanJson, CleanText, RowLimits};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// dbt Cloud did what was asked.
    Succeeded,
    /// dbt Cloud answered 400.
    InvalidRequest,
    /// dbt Cloud answered 401 or 403: it refused our token.
    Credentials,
    /// dbt Cloud answered 404.
    NotFound,
    /// dbt Cloud answered 422.
    UnprocessableEntity,
    /// dbt Cloud answered 429.
    TooManyRequests,
    /// What was asked is not possible in the state that the run is in.
    Conflict,
    /// dbt Cloud answered another status that is not 2xx.
    UnexpectedStatus,
    /// dbt Cloud did not answer in time.
    Timeout,
    /// dbt Cloud could not be reached.
    Connect,
    /// The connection to dbt Cloud broke before the answer was whole.
    Disconnected,
    /// dbt Cloud's answer could not be read.
    Decode,
    /// dbt Cloud's answer was longer than we collect.
    TooLarge,
    /// We failed.
    InternalError,
    /// The gate refused it, or its row could not be opened; dbt Cloud was not contacted.
    Refused,
    /// A streamed answer broke off.
    Truncated,
    /// The caller went away before the answer.
    CallerGone,
    /// The process that owned the row died; what happened at dbt Cloud is unknown.
    Abandoned,
}

impl Outcome {
    /// Every outcome, for tests and tables.
    pub const ALL: [Self; 18] = [
        Self::Succeeded,
        Self::InvalidRequest,
        Self::Credentials,
        Self::NotFound,
        Self::UnprocessableEntity,
        Self::TooManyRequests,
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

    /// The spelling of the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::InvalidRequest => "invalid_request",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::UnprocessableEntity => "unprocessable_entity",
            Self::TooManyRequests => "too_many_requests",
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

/// What is known of a request when it arrives.
#[derive(Debug, Clone)]
pub struct FixedColumns {
    pub(crate) request_uuid: Uuid,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) caller_request_id: Option<CleanText>,
    pub(crate) surface: Surface,
    pub(crate) request_type: RequestType,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) company_id: CompanyId,
    pub(crate) args: CleanJson,
    pub(crate) credential: Option<CleanText>,
    /// The key that asked.
    pub api_key_id: Option<ApiKeyId>,
    /// The account it is about.
    pub account_id: Option<AccountId>,
    /// The job it is about.
    pub job_id: Option<JobId>,
    /// The run it is about.
    pub run_id: Option<RunId>,
    /// The process that has it.
    pub instance_id: Option<InstanceId>,
}

impl FixedColumns {
    /// The part of a request of that company; `args` is an object and holds no secret.
    pub fn new(
        stamp: &RequestStamp,
        request_type: RequestType,
        company_id: CompanyId,
        args: &Value,
        limits: &RowLimits,
    ) -> Self {
        Self {
            request_uuid: stamp.request_uuid(),
            started_at: stamp.started_at(),
            caller_request_id: stamp
                .caller_request_id
                .as_ref()
                .map(|id| CleanText::new(id.as_str(), limits.text_max_bytes)),
            surface: stamp.surface,
            request_type,
            template: stamp.template.clone(),
            company_id,
            args: CleanJson::new(args, limits.json_max_bytes),
            credential: None,
            api_key_id: None,
            account_id: None,
            job_id: None,
            run_id: None,
            instance_id: None,
        }
    }

    /// The part of an admitted request. One that goes to several accounts has none of them as its own.
    pub fn admitted<To: Destination>(ctx: &ClientContext<To>, args: &Value, limits: &RowLimits) -> Self {
        let only = ctx.to().only();
        Self {
            credential: only.map(|upstream| CleanText::new(&upstream.name, limits.text_max_bytes)),
            api_key_id: Some(ctx.caller().api_key_id),
            account_id: only.map(|upstream| upstream.account_id),
            ..Self::new(ctx.stamp(), ctx.request_type(), ctx.caller().company_id, args, limits)
        }
    }

    /// When it arrived.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// Whose request it is.
    pub fn company_id(&self) -> CompanyId {
        self.company_id
    }

    /// What was asked for: a JSON object.
    pub fn args(&self) -> &str {
        self.args.as_str()
    }

    /// The row of a request that has not ended.
    pub fn open(self: &Arc<Self>) -> LogRow {
        LogRow {
            fixed: Arc::clone(self),
            closing: None,
            was_open: false,
        }
    }

    /// The whole row.
    pub fn closed(self, closing: Closing) -> LogRow {
        LogRow::whole(Arc::new(self), closing)
    }
}

/// How a request ended, for its row.
#[derive(Debug, Clone)]
pub struct Closing {
    pub(crate) outcome: Outcome,
    pub(crate) finished_at: DateTime<Utc>,
    pub(crate) duration_ms: f64,
    pub(crate) error: Option<CleanText>,
    pub(crate) exchanges: CleanJson,
    /// dbt Cloud's last status code; `None` where it did not answer.
    pub status_code: Option<u16>,
    /// How many HTTP exchanges it took.
    pub attempts: i32,
    /// The job it turned out to be about.
    pub job_id: Option<JobId>,
    /// The run it turned out to be about.
    pub run_id: Option<RunId>,
    /// How many bytes of body dbt Cloud sent.
    pub bytes: Option<i64>,
}

impl Closing {
    /// The end of a request for which dbt Cloud was not contacted.
    pub fn new(
        outcome: Outcome,
        stamp: &RequestStamp,
        finished_at: DateTime<Utc>,
        error: Option<&str>,
        limits: &RowLimits,
    ) -> Self {
        Self {
            outcome,
            finished_at,
            duration_ms: stamp.elapsed().as_secs_f64() * 1000.0,
            error: error.map(|text| CleanText::new(text, limits.text_max_bytes)),
            exchanges: CleanJson::empty_list(),
            status_code: None,
            attempts: 0,
            job_id: None,
            run_id: None,
            bytes: None,
        }
    }

    /// Adds the exchanges, a list.
    #[must_use]
    pub fn with_exchanges(mut self, attempts: i32, exchanges: &impl Serialize, limits: &RowLimits) -> Self {
        self.attempts = attempts;
        self.exchanges = CleanJson::new(exchanges, limits.json_max_bytes);
        self
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What went wrong, in words.
    pub fn error(&self) -> Option<&str> {
        self.error.as_ref().map(CleanText::as_str)
    }

    /// The exchanges: a JSON list.
    pub fn exchanges(&self) -> &str {
        self.exchanges.as_str()
    }
}

/// A row to write: open, or whole. Writing the whole row after the open one closes it.
#[derive(Debug, Clone)]
pub struct LogRow {
    pub(crate) fixed: Arc<FixedColumns>,
    pub(crate) closing: Option<Closing>,
    /// Whether its open form was queued before it.
    pub(crate) was_open: bool,
}

impl LogRow {
    /// The row of a request that is written once.
    pub fn whole(fixed: Arc<FixedColumns>, closing: Closing) -> Self {
        Self {
            fixed,
            closing: Some(closing),
            was_open: false,
        }
    }

    /// The open row's whole form.
    #[must_use]
    pub fn close(self, closing: Closing) -> Self {
        Self {
            closing: Some(closing),
            was_open: true,
            ..self
        }
    }

    /// The request's name.
    pub fn request_uuid(&self) -> Uuid {
        self.fixed.request_uuid
    }

    /// What is known since it arrived.
    pub fn fixed(&self) -> &FixedColumns {
        &self.fixed
    }

    /// How it ended, in full; `None` while open.
    pub fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }

    /// How it ended; `None` while open.
    pub fn outcome(&self) -> Option<Outcome> {
        self.closing.as_ref().map(Closing::outcome)
    }

    /// The HTTP exchanges that it took.
    pub fn attempts(&self) -> i32 {
        self.closing.as_ref().map_or(0, |closing| closing.attempts)
    }

    /// The form that cannot fail: for a row that Postgres refused although it was cleaned.
    pub(crate) fn with_fixed_columns_only(&self, reason: &str) -> Self {
        let fixed = FixedColumns {
            caller_request_id: None,
            template: None,
            credential: None,
            args: CleanJson::empty_object(),
            ..(*self.fixed).clone()
        };
        let closing = self.closing.as_ref().map(|closing| Closing {
            error: (closing.outcome != Outcome::Succeeded)
                .then(|| CleanText::new(reason, RowLimits::default().text_max_bytes)),
            exchanges: CleanJson::empty_list(),
            status_code: None,
            bytes: None,
            ..closing.clone()
        });
        Self {
            fixed: Arc::new(fixed),
            closing,
            was_open: self.was_open,
        }
    }
}
