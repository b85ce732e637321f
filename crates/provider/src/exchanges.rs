//! The record of a request's HTTP exchanges, for its row.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use dbt_api::ApiError;
use http::StatusCode;
use model::{AccountId, Effect, JobId, RequestType, RunId, Served, Source};
use serde::{Serialize, Serializer};

/// Why an exchange was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// The operation itself.
    Asked,
    /// A further dbt page of the requested page.
    NextPage,
    /// Checks the progress of what was started.
    Poll,
    /// The same read after a transient failure.
    Retry,
    /// The same request, a change included, after dbt Cloud had not processed it.
    NotProcessed,
    /// A redirect that differs only by the trailing slash.
    OtherSlash,
    /// The read of a just started run that dbt Cloud does not show yet.
    NotVisibleYet,
    /// Finds the run or the step.
    LookUp,
    /// Reads what is about to be changed.
    BeforeChange,
    /// Finds why dbt Cloud refused the change.
    AfterRefusal,
    /// Cancels a run that has not begun, to make room for a new one.
    CancelQueued,
}

impl Why {
    /// The spelling of the row and of the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::NextPage => "next_page",
            Self::Poll => "poll",
            Self::Retry => "retry",
            Self::NotProcessed => "not_processed",
            Self::OtherSlash => "other_slash",
            Self::NotVisibleYet => "not_visible_yet",
            Self::BeforeChange => "before_change",
            Self::LookUp => "look_up",
            Self::AfterRefusal => "after_refusal",
            Self::CancelQueued => "cancel_queued",
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The record of one request, shared by its `Call`, which adds to it, and its `RequestScope`, which writes the row.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    record: Mutex<Record>,
    served: Served,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Record {
    /// The number of exchanges; may exceed the length of `logged`.
    pub(crate) attempts: i32,
    /// How many of them could change something.
    pub(crate) sent_changes: u32,
    /// dbt Cloud's last status.
    pub(crate) last_status: Option<StatusCode>,
    /// The job, where the operation found it.
    pub(crate) job_id: Option<JobId>,
    /// The run, where the operation found it.
    pub(crate) run_id: Option<RunId>,
    /// Bytes of body received from dbt Cloud.
    pub(crate) bytes: u64,
    /// The first [`Exchanges::MAX_LOGGED`] exchanges, for the column `exchanges`.
    pub(crate) logged: Vec<Exchange>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exchange {
    /// Only where the request spans several accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<AccountId>,
    operation: RequestType,
    why: Why,
    /// Only where it is about another run than the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    started_at: String,
    duration_ms: Option<f64>,
}

/// The index of an exchange in the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExchangeIndex {
    index: usize,
    is_change: bool,
}

impl Exchanges {
    /// Maximum number of exchanges in a row.
    const MAX_LOGGED: usize = 20;

    /// A record that notes in `served` where the answer is from.
    pub(crate) fn new(served: Served) -> Self {
        Self {
            record: Mutex::default(),
            served,
        }
    }

    /// Records that another request's exchange, or a kept answer, took the place of an exchange.
    pub(crate) fn served(&self, source: Source, status: Option<StatusCode>) {
        self.record().last_status = status;
        self.served.add(source);
    }

    /// Adds bytes of body received.
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.record().bytes += bytes;
    }

    /// Records the start of an exchange.
    pub(crate) fn begin(
        &self,
        account_id: Option<AccountId>,
        operation: RequestType,
        why: Why,
        now: DateTime<Utc>,
    ) -> ExchangeIndex {
        let mut record = self.record();
        record.attempts += 1;
        let is_change = operation.effect() == Effect::Change;
        record.sent_changes += u32::from(is_change);
        let index = record.logged.len();
        if index < Self::MAX_LOGGED {
            let started_at = now.to_rfc3339_opts(SecondsFormat::Millis, true);
            record.logged.push(Exchange {
                account_id,
                operation,
                why,
                run_id: None,
                status: None,
                error: None,
                started_at,
                duration_ms: None,
            });
            return ExchangeIndex { index, is_change };
        }
        ExchangeIndex {
            index: usize::MAX,
            is_change,
        }
    }

    /// Records that the last exchange was about that run.
    pub(crate) fn set_run_of_last(&self, id: RunId) {
        if let Some(exchange) = self.record().logged.last_mut() {
            exchange.run_id = Some(id);
        }
    }

    /// Sets dbt Cloud's last status, where later exchanges only looked for the effect of one.
    pub(crate) fn set_last_status(&self, status: Option<StatusCode>) {
        self.record().last_status = status;
    }

    /// Whether a change was sent to dbt Cloud.
    pub(crate) fn has_sent_change(&self) -> bool {
        self.record().sent_changes > 0
    }

    /// Records the end of an exchange. One that the gateway held back was none: it stays listed with its error.
    pub(crate) fn end(
        &self,
        index: ExchangeIndex,
        duration: Duration,
        status: Option<StatusCode>,
        error: Option<&ApiError>,
    ) {
        let mut record = self.record();
        if error.is_some_and(ApiError::was_held_back) {
            record.attempts -= 1;
            record.sent_changes -= u32::from(index.is_change);
        } else {
            self.served.add(Source::DBT);
            record.last_status = status;
        }
        if let Some(exchange) = record.logged.get_mut(index.index) {
            exchange.status = status.map(|status| status.as_u16());
            exchange.error = error.map(ApiError::name);
            exchange.duration_ms = Some((duration.as_secs_f64() * 1e6).round() / 1e3);
        }
    }

    /// Records the job.
    pub(crate) fn set_job(&self, id: JobId) {
        self.record().job_id = Some(id);
    }

    /// Records the run.
    pub(crate) fn set_run(&self, id: RunId) {
        self.record().run_id = Some(id);
    }

    /// Takes the record; later additions are dropped.
    pub(crate) fn take(&self) -> Record {
        std::mem::take(&mut self.record())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
