//! A row of `trigger_attempt` as it is read.

use chrono::{DateTime, Utc};
use model::{AccountId, CompanyId, JobId, RunId};
use uuid::Uuid;

use super::attempt::{Attempt, AttemptLease, StartKind, Watermark};

pub(super) fn watermark(run: Option<i64>, known_at: Option<DateTime<Utc>>) -> Option<Watermark> {
    let (run, known_at) = (RunId(run?), known_at?);
    Some(Watermark { run, known_at })
}

/// A row of `trigger_attempt` that is looked for.
pub(super) struct AttemptRow {
    pub(super) id: i64,
    pub(super) fence: i64,
    pub(super) request_uuid: Uuid,
    pub(super) company_id: i64,
    pub(super) credential: String,
    pub(super) host: String,
    pub(super) account_id: i64,
    pub(super) job_id: Option<i64>,
    pub(super) kind: String,
    pub(super) retried_run_id: Option<i64>,
    pub(super) cause_hash: Option<Vec<u8>>,
    pub(super) cause_start_hash: Option<Vec<u8>>,
    pub(super) marker: Option<String>,
    pub(super) watermark_run_id: Option<i64>,
    pub(super) watermark_known_at: Option<DateTime<Utc>>,
    pub(super) is_sent: bool,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) deadline: DateTime<Utc>,
    pub(super) looks: i32,
    pub(super) now: DateTime<Utc>,
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            lease: AttemptLease {
                id: row.id,
                fence: row.fence,
            },
            request_uuid: row.request_uuid,
            company_id: CompanyId(row.company_id),
            credential: row.credential,
            host: row.host,
            account_id: AccountId(row.account_id),
            job_id: row.job_id.map(JobId),
            kind: StartKind::from_name(&row.kind),
            retried_run_id: row.retried_run_id.map(RunId),
            cause_hash: row.cause_hash.and_then(|hash| hash.try_into().ok()),
            cause_start_hash: row.cause_start_hash.and_then(|hash| hash.try_into().ok()),
            marker: row.marker,
            watermark: watermark(row.watermark_run_id, row.watermark_known_at),
            is_sent: row.is_sent,
            sent_at: row.sent_at,
            deadline: row.deadline,
            looks: row.looks,
            now: row.now,
        }
    }
}
