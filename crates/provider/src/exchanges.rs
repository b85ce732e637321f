//! The record of a request's HTTP exchanges, for its row.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use dbt_api::ApiError;
use http::StatusCode;
use model::{AccountId, Effect, JobId, RequestType, RunId};
use serde::{Serialize, Serializer};

/// Why an exchange was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// It is what the caller asked for.
    Asked,
    /// The asked page covers more than one of dbt's pages.
    NextPage,
    /// To see whether what was begun is done.
    Poll,
    /// The same read, sent again after a passing failure.
    Retry,
    /// dbt Cloud spells the path with another slash at its end.
    OtherSlash,
    /// dbt Cloud did not show a run that was started just now.
    NotVisibleYet,
    /// To find the run or the step that is meant.
    LookUp,
    /// To see whether the change is possible, or what is changed: dbt Cloud takes some things only as a whole.
    BeforeChange,
    /// To see why dbt Cloud refused the change.
    AfterRefusal,
}

impl Why {
    /// The spelling of the row and of the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::NextPage => "next_page",
            Self::Poll => "poll",
            Self::Retry => "retry",
            Self::OtherSlash => "other_slash",
            Self::NotVisibleYet => "not_visible_yet",
            Self::BeforeChange => "before_change",
            Self::LookUp => "look_up",
            Self::AfterRefusal => "after_refusal",
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Shared by the call, which adds to it, and the bracket, which writes it into the row, however the request ends.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(Mutex<Record>);

#[derive(Debug, Default, Clone)]
pub(crate) struct Record {
    /// How many exchanges there were; can be more than are told one by one.
    pub(crate) attempts: i32,
    /// Whether one of them could change something.
    pub(crate) has_sent_change: bool,
    /// dbt Cloud's last status.
    pub(crate) last_status: Option<StatusCode>,
    /// The job that the request turned out to be about.
    pub(crate) job_id: Option<JobId>,
    /// The run that the request turned out to be about.
    pub(crate) run_id: Option<RunId>,
    /// How many bytes of body came from dbt Cloud and were read to their end.
    pub(crate) bytes: u64,
    /// The first of them, one by one, for the column `exchanges`.
    pub(crate) told: Vec<Exchange>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exchange {
    /// Where the request goes to several accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<AccountId>,
    operation: RequestType,
    why: Why,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    started_at: String,
    duration_ms: Option<f64>,
}

/// The place of one exchange in the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(usize);

impl Exchanges {
    /// The row tells the first so many exchanges one by one.
    const TOLD: usize = 20;

    /// Notes that so many bytes of body came.
    pub(crate) fn came(&self, bytes: u64) {
        self.record().bytes += bytes;
    }

    /// Notes that an exchange begins now.
    pub(crate) fn begin(
        &self,
        account_id: Option<AccountId>,
        operation: RequestType,
        why: Why,
        now: DateTime<Utc>,
    ) -> Place {
        let mut record = self.record();
        record.attempts += 1;
        record.has_sent_change |= operation.effect() == Effect::Change;
        let place = Place(record.told.len());
        if place.0 < Self::TOLD {
            let started_at = now.to_rfc3339_opts(SecondsFormat::Millis, true);
            record.told.push(Exchange {
                account_id,
                operation,
                why,
                status: None,
                error: None,
                started_at,
                duration_ms: None,
            });
            return place;
        }
        Place(usize::MAX)
    }

    /// Whether dbt Cloud has been asked to change something.
    pub(crate) fn has_sent_change(&self) -> bool {
        self.record().has_sent_change
    }

    /// Notes how it ended.
    pub(crate) fn end(&self, place: Place, took: Duration, status: Option<StatusCode>, error: Option<&ApiError>) {
        let mut record = self.record();
        record.last_status = status;
        if let Some(exchange) = record.told.get_mut(place.0) {
            exchange.status = status.map(|status| status.as_u16());
            exchange.error = error.map(ApiError::name);
            exchange.duration_ms = Some((took.as_secs_f64() * 1e6).round() / 1e3);
        }
    }

    /// Notes the job that the request turned out to be about.
    pub(crate) fn set_job(&self, id: JobId) {
        self.record().job_id = Some(id);
    }

    /// Notes the run that the request turned out to be about.
    pub(crate) fn set_run(&self, id: RunId) {
        self.record().run_id = Some(id);
    }

    /// The record so far; whoever goes on adding to it does so in vain.
    pub(crate) fn take(&self) -> Record {
        std::mem::take(&mut self.record())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
