//! A row as it is read.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, InstanceId, JobId, RunId};
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::LogPosition;

/// What [`RecordRow`] is read from.
pub(super) const COLUMNS: &str = "request_uuid, caller_request_id, surface, client_type, request_type, template, \
     api_key_id, credential, account_id, job_id, run_id, args, status_code, outcome, error, attempts, exchanges, bytes, \
     served_from, instance_id, started_at, finished_at, duration_ms";

/// A request on record. Its vocabularies are texts: a newer replica may write words that this one does not know.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// Its name.
    pub request_uuid: Uuid,
    /// What its caller called it.
    pub caller_request_id: Option<String>,
    /// The set of routes it came through.
    pub surface: String,
    /// The API of dbt Cloud.
    pub client_type: Option<String>,
    /// The operation.
    pub request_type: String,
    /// The route, without ids.
    pub template: Option<String>,
    /// The key that asked; `None` for a command.
    pub api_key_id: Option<ApiKeyId>,
    /// The credential by which dbt Cloud was asked.
    pub credential: Option<String>,
    /// The account it is about.
    pub account_id: Option<AccountId>,
    /// The job it is about.
    pub job_id: Option<JobId>,
    /// The run it is about.
    pub run_id: Option<RunId>,
    /// The arguments: an object.
    pub args: Box<RawValue>,
    /// dbt Cloud's last status.
    pub status_code: Option<i32>,
    /// How it ended; `None` while open.
    pub outcome: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// How many HTTP exchanges it took.
    pub attempts: i32,
    /// The first of them: a list.
    pub exchanges: Box<RawValue>,
    /// How many bytes of body came from dbt Cloud.
    pub bytes: Option<i64>,
    /// Where the answer came from.
    pub served_from: Option<String>,
    /// The process that had it.
    pub instance_id: Option<InstanceId>,
    /// When it arrived.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
}

impl LogRecord {
    /// Its place in the order of the log.
    pub fn position(&self) -> LogPosition {
        LogPosition {
            started_at: self.started_at,
            request_uuid: self.request_uuid,
        }
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let texts = [&self.error, &self.credential, &self.template];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        size_of::<Self>() + self.args.get().len() + self.exchanges.get().len() + texts
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct RecordRow {
    request_uuid: Uuid,
    caller_request_id: Option<String>,
    surface: String,
    client_type: Option<String>,
    request_type: String,
    template: Option<String>,
    api_key_id: Option<i64>,
    credential: Option<String>,
    account_id: Option<i64>,
    job_id: Option<i64>,
    run_id: Option<i64>,
    args: Json<Box<RawValue>>,
    status_code: Option<i32>,
    outcome: Option<String>,
    error: Option<String>,
    attempts: i32,
    exchanges: Json<Box<RawValue>>,
    bytes: Option<i64>,
    served_from: Option<String>,
    instance_id: Option<i64>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    duration_ms: Option<f64>,
}

impl From<RecordRow> for LogRecord {
    fn from(row: RecordRow) -> Self {
        Self {
            request_uuid: row.request_uuid,
            caller_request_id: row.caller_request_id,
            surface: row.surface,
            client_type: row.client_type,
            request_type: row.request_type,
            template: row.template,
            api_key_id: row.api_key_id.map(ApiKeyId),
            credential: row.credential,
            account_id: row.account_id.map(AccountId),
            job_id: row.job_id.map(JobId),
            run_id: row.run_id.map(RunId),
            args: row.args.0,
            status_code: row.status_code,
            outcome: row.outcome,
            error: row.error,
            attempts: row.attempts,
            exchanges: row.exchanges.0,
            bytes: row.bytes,
            served_from: row.served_from,
            instance_id: row.instance_id.map(InstanceId),
            started_at: row.started_at,
            finished_at: row.finished_at,
            duration_ms: row.duration_ms,
        }
    }
}
