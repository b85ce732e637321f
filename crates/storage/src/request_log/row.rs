//! A row of the request log before it is written.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::{
    AccountId, ApiKeyId, ClientContext, CompanyId, Destination, InstanceId, JobId, RequestStamp, RequestType, RunId,
    ServedFrom, Surface,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::sanitised::{RowLimits, SanitisedJson, SanitisedText};
use crate::metrics::StorageMetrics;
use crate::outcome::Outcome;

/// The columns that are known when a request arrives and do not change afterwards.
#[derive(Debug, Clone)]
pub struct FixedColumns {
    pub(crate) request_uuid: Uuid,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) caller_request_id: Option<SanitisedText>,
    pub(crate) surface: Surface,
    pub(crate) request_type: RequestType,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) company_id: CompanyId,
    pub(crate) args: SanitisedJson,
    pub(crate) credential: Option<SanitisedText>,
    /// The caller's API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The account of the request.
    pub account_id: Option<AccountId>,
    /// The job of the request.
    pub job_id: Option<JobId>,
    /// The run of the request.
    pub run_id: Option<RunId>,
    /// The process that handles it.
    pub instance_id: Option<InstanceId>,
}

impl FixedColumns {
    /// The columns of a request of that company. `args` is an object without secrets.
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
                .map(|id| SanitisedText::new(id.as_str(), limits.text_max_bytes)),
            surface: stamp.surface,
            request_type,
            template: stamp.template.clone(),
            company_id,
            args: SanitisedJson::new(args, limits.json_max_bytes),
            credential: None,
            api_key_id: None,
            account_id: None,
            job_id: None,
            run_id: None,
            instance_id: None,
        }
    }

    /// The columns of an admitted request. A request to several accounts has neither `account_id` nor `credential`.
    pub fn admitted<To: Destination>(ctx: &ClientContext<To>, args: &Value, limits: &RowLimits) -> Self {
        let only = ctx.to().only();
        Self {
            credential: only.map(|upstream| SanitisedText::new(&upstream.name, limits.text_max_bytes)),
            api_key_id: ctx.caller().key(),
            account_id: only.map(|upstream| upstream.account_id),
            ..Self::new(ctx.stamp(), ctx.request_type(), ctx.caller().company_id, args, limits)
        }
    }

    /// When the request arrived.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// The caller's company.
    pub fn company_id(&self) -> CompanyId {
        self.company_id
    }

    /// The arguments: a JSON object.
    pub fn args(&self) -> &str {
        self.args.as_str()
    }

    /// The open row: the request has not ended.
    pub fn open(self: &Arc<Self>) -> LogRow {
        LogRow {
            fixed: Arc::clone(self),
            closing: None,
            was_open: false,
        }
    }

    /// The complete row.
    pub fn closed(self, closing: Closing) -> LogRow {
        LogRow::complete(Arc::new(self), closing)
    }
}

/// The columns that say how a request ended.
#[derive(Debug, Clone)]
pub struct Closing {
    pub(crate) outcome: Outcome,
    pub(crate) finished_at: DateTime<Utc>,
    pub(crate) duration_ms: f64,
    pub(crate) error: Option<SanitisedText>,
    pub(crate) exchanges: SanitisedJson,
    /// dbt Cloud's last status code; `None` if it did not answer.
    pub status_code: Option<u16>,
    /// Number of HTTP exchanges with dbt Cloud.
    pub attempts: i32,
    /// The job, if only known at the end.
    pub job_id: Option<JobId>,
    /// The run, if only known at the end.
    pub run_id: Option<RunId>,
    /// Bytes of body that dbt Cloud sent.
    pub bytes: Option<i64>,
    /// Where the answer is from, if not from exchanges of its own.
    pub served_from: Option<ServedFrom>,
    /// The request that made the exchange.
    pub source_request_uuid: Option<Uuid>,
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
            error: error.map(|text| SanitisedText::new(text, limits.text_max_bytes)),
            exchanges: SanitisedJson::empty_list(),
            status_code: None,
            attempts: 0,
            job_id: None,
            run_id: None,
            bytes: None,
            served_from: None,
            source_request_uuid: None,
        }
    }

    /// Adds the exchanges, which serialise to a list.
    #[must_use]
    pub fn with_exchanges(mut self, attempts: i32, exchanges: &impl Serialize, limits: &RowLimits) -> Self {
        self.attempts = attempts;
        self.exchanges = SanitisedJson::new(exchanges, limits.json_max_bytes);
        self
    }

    /// The outcome.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The error message.
    pub fn error(&self) -> Option<&str> {
        self.error.as_ref().map(SanitisedText::as_str)
    }

    /// The exchanges: a JSON list.
    pub fn exchanges(&self) -> &str {
        self.exchanges.as_str()
    }
}

/// An open or complete row. Writing the complete row after the open one closes it.
#[derive(Debug, Clone)]
pub struct LogRow {
    pub(crate) fixed: Arc<FixedColumns>,
    pub(crate) closing: Option<Closing>,
    /// Whether the open row was queued before this one.
    pub(crate) was_open: bool,
}

impl LogRow {
    /// The complete row of a request whose row was not opened before.
    pub fn complete(fixed: Arc<FixedColumns>, closing: Closing) -> Self {
        Self {
            fixed,
            closing: Some(closing),
            was_open: false,
        }
    }

    /// The complete row that closes this open one.
    #[must_use]
    pub fn close(self, closing: Closing) -> Self {
        Self {
            closing: Some(closing),
            was_open: true,
            ..self
        }
    }

    /// The request's UUID.
    pub fn request_uuid(&self) -> Uuid {
        self.fixed.request_uuid
    }

    /// The columns known since the request arrived.
    pub fn fixed(&self) -> &FixedColumns {
        &self.fixed
    }

    /// The columns of its end; `None` while open.
    pub fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }

    /// The outcome; `None` while open.
    pub fn outcome(&self) -> Option<Outcome> {
        self.closing.as_ref().map(Closing::outcome)
    }

    /// Number of HTTP exchanges with dbt Cloud.
    pub fn attempts(&self) -> i32 {
        self.closing.as_ref().map_or(0, |closing| closing.attempts)
    }

    /// Where the answer is from; `None` if nothing was needed of dbt Cloud.
    pub(crate) fn served_from(&self) -> Option<&'static str> {
        let closing = self.closing.as_ref()?;
        let from = match closing.attempts {
            0 => closing.served_from?,
            _ => ServedFrom::Dbt,
        };
        Some(from.as_str())
    }

    /// Counts a request that ended with this row.
    pub(crate) fn count_ended(&self, metrics: &StorageMetrics) {
        if let Some(closing) = &self.closing {
            metrics.ended(self.fixed.request_type, closing.outcome, closing.duration_ms);
        }
    }

    /// The row without its details, for a row that Postgres refused although it was sanitised.
    pub(crate) fn reduced(&self, reason: &str) -> Self {
        let fixed = FixedColumns {
            caller_request_id: None,
            template: None,
            credential: None,
            args: SanitisedJson::empty_object(),
            ..(*self.fixed).clone()
        };
        let closing = self.closing.as_ref().map(|closing| Closing {
            error: (closing.outcome != Outcome::Succeeded)
                .then(|| SanitisedText::new(reason, RowLimits::default().text_max_bytes)),
            exchanges: SanitisedJson::empty_list(),
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
