//! A row as read from the table.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, InstanceId, JobId, RunId};
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::filter::LogPosition;

/// The columns of [`RecordRow`].
pub(super) const COLUMNS: &str = "request_uuid, caller_request_id, surface, client_type, request_type, template, \
     api_key_id, credential, account_id, job_id, run_id, args, status_code, outcome, error, attempts, exchanges, bytes, \
     served_from, source_request_uuid, instance_id, started_at, finished_at, duration_ms";

/// A logged request. Enumerations are texts, because a newer replica may write values that this version lacks.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// The `x-request-id` of the answer.
    pub request_uuid: Uuid,
    /// The `x-request-id` of the caller.
    pub caller_request_id: Option<String>,
    /// The set of routes.
    pub surface: String,
    /// The dbt Cloud API.
    pub client_type: Option<String>,
    /// The operation.
    pub request_type: String,
    /// The route, without ids.
    pub template: Option<String>,
    /// The caller's API key; `None` for a command.
    pub api_key_id: Option<ApiKeyId>,
    /// The credential sent to dbt Cloud.
    pub credential: Option<String>,
    /// The account.
    pub account_id: Option<AccountId>,
    /// The job.
    pub job_id: Option<JobId>,
    /// The run.
    pub run_id: Option<RunId>,
    /// The arguments: an object.
    pub args: Box<RawValue>,
    /// dbt Cloud's last status.
    pub status_code: Option<i32>,
    /// The outcome; `None` while open.
    pub outcome: Option<String>,
    /// The error message.
    pub error: Option<String>,
    /// Number of HTTP exchanges with dbt Cloud.
    pub attempts: i32,
    /// The first exchanges: a list.
    pub exchanges: Box<RawValue>,
    /// Bytes of body from dbt Cloud.
    pub bytes: Option<i64>,
    /// The source of the answer.
    pub served_from: Option<String>,
    /// The request that made the exchange, if it is another one.
    pub source_request_uuid: Option<Uuid>,
    /// The process that handled it.
    pub instance_id: Option<InstanceId>,
    /// Arrival.
    pub started_at: DateTime<Utc>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// Duration in milliseconds.
    pub duration_ms: Option<f64>,
}

impl LogRecord {
    /// Its position in the order of the log.
    pub fn position(&self) -> LogPosition {
        LogPosition {
            started_at: self.started_at,
            request_uuid: self.request_uuid,
        }
    }

    /// Its approximate size in bytes.
    pub(super) fn size(&self) -> usize {
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
    source_request_uuid: Option<Uuid>,
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
            source_request_uuid: row.source_request_uuid,
            instance_id: row.instance_id.map(InstanceId),
            started_at: row.started_at,
            finished_at: row.finished_at,
            duration_ms: row.duration_ms,
        }
    }
}
