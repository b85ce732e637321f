//! Rows of the request log.

use chrono::{DateTime, Utc};
use client::{LogRecord, OutcomeFilter, Resolution};
use model::{ClientType, Surface};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::words::{OutcomeName, ResolutionState, ServedFromName};

/// A request on record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "request_uuid": "019e2a3b-5c6d-7e8f-9a0b-1c2d3e4f5a6b", "caller_request_id": "order 4711", "surface": "rest",
    "client_type": "dbt_cloud_administrative", "request_type": "trigger_job", "template": "/jobs/{job_id}/runs",
    "api_key_id": 7, "credential": "default", "account_id": 70_403_103_900_001_i64,
    "job_id": 70_403_103_940_001_i64, "run_id": 70_403_104_000_901_i64,
    "args": {"order": {"cause": "Orders were reloaded"}}, "status_code": 200, "outcome": "succeeded", "error": null,
    "attempts": 1,
    "exchanges": [{"operation": "trigger_job", "why": "asked", "status": 200,
        "started_at": "2026-03-19T11:57:15.559Z", "duration_ms": 181.25}],
    "bytes": 2381, "served_from": "dbt", "source_request_uuid": null, "instance_id": 3, "started_at": "2026-03-19T11:57:15.558970Z",
    "finished_at": "2026-03-19T11:57:15.741023Z", "duration_ms": 182.03
}))]
pub(crate) struct RequestLog {
    /// The answer's `x-request-id`.
    request_uuid: Uuid,
    /// The caller's own `x-request-id`.
    caller_request_id: Option<String>,
    /// `rest`: a REST route; `dbt`: a route of dbt Cloud, relayed; `internal`: a command.
    #[schema(value_type = Surface)]
    surface: String,
    /// The API of dbt Cloud; null for the gateway's own records.
    #[schema(value_type = Option<ClientType>)]
    client_type: Option<String>,
    /// The operation: its name in this document, or that of dbt Cloud's operation that was relayed, of a command, of
    /// background work.
    request_type: String,
    /// The route, without ids.
    template: Option<String>,
    /// The caller's key; null for a command.
    api_key_id: Option<i64>,
    /// The credential used at dbt Cloud; null for a list of several accounts.
    credential: Option<String>,
    account_id: Option<i64>,
    job_id: Option<i64>,
    /// The run; for a trigger, the run it started.
    run_id: Option<i64>,
    /// The arguments.
    #[schema(value_type = Object)]
    args: Box<RawValue>,
    /// dbt Cloud's last status; null where it did not answer.
    status_code: Option<i32>,
    /// The outcome; `open` while it is in progress.
    #[schema(value_type = OutcomeName)]
    outcome: String,
    /// What went wrong.
    error: Option<String>,
    /// The number of HTTP exchanges with dbt Cloud.
    attempts: i32,
    /// The first 20 of them: `operation`, `why`, `status` or `error`, `started_at`, `duration_ms`, and `account_id` where
    /// there are several.
    #[schema(value_type = Vec<Object>)]
    exchanges: Box<RawValue>,
    /// Bytes of body received from dbt Cloud; null where it was not contacted.
    bytes: Option<i64>,
    /// `dbt`; `coalesced`: another request asked for the same at the same time; `cache`: a fresh kept answer; `stale`: an
    /// older one, since dbt Cloud did not answer. Null where nothing was needed of dbt Cloud.
    #[schema(value_type = Option<ServedFromName>)]
    served_from: Option<String>,
    /// The request that asked dbt Cloud, if it is another one.
    source_request_uuid: Option<Uuid>,
    /// The process that handled it.
    instance_id: Option<i64>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    duration_ms: Option<f64>,
    /// What became of a request whose answer from dbt Cloud was lost. Only here, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resolution: Option<RunResolution>,
}

/// What became of a request that starts a run, where dbt Cloud's answer was lost.
#[derive(Debug, Serialize, ToSchema)]
struct RunResolution {
    /// `looking`; `started`: the run was found; `not_started`; `unresolved`: unknown for good.
    #[schema(value_type = ResolutionState)]
    state: String,
    /// The run that was found.
    run_id: Option<i64>,
    /// Whether the run was found without a marker in its cause: exactly one fitted.
    probable: bool,
    /// Runs that may be it.
    candidates: Vec<i64>,
    /// Why it is unresolved.
    reason: Option<String>,
    /// Until then the run is looked for.
    deadline: DateTime<Utc>,
}

impl RequestLog {
    pub(crate) fn with_resolution(self, resolution: Option<Resolution>) -> Self {
        let resolution = resolution.map(|resolution| RunResolution {
            state: resolution.state,
            run_id: resolution.run_id.map(Into::into),
            probable: resolution.probable,
            candidates: resolution.candidates.into_iter().map(Into::into).collect(),
            reason: resolution.reason,
            deadline: resolution.deadline,
        });
        Self { resolution, ..self }
    }
}

impl From<LogRecord> for RequestLog {
    fn from(record: LogRecord) -> Self {
        Self {
            request_uuid: record.request_uuid,
            caller_request_id: record.caller_request_id,
            surface: record.surface,
            client_type: record.client_type,
            request_type: record.request_type,
            template: record.template,
            api_key_id: record.api_key_id.map(Into::into),
            credential: record.credential,
            account_id: record.account_id.map(Into::into),
            job_id: record.job_id.map(Into::into),
            run_id: record.run_id.map(Into::into),
            args: record.args,
            status_code: record.status_code,
            outcome: record.outcome.unwrap_or_else(|| OutcomeFilter::OPEN.to_owned()),
            error: record.error,
            attempts: record.attempts,
            exchanges: record.exchanges,
            bytes: record.bytes,
            served_from: record.served_from,
            source_request_uuid: record.source_request_uuid,
            instance_id: record.instance_id.map(Into::into),
            started_at: record.started_at,
            finished_at: record.finished_at,
            duration_ms: record.duration_ms,
            resolution: None,
        }
    }
}
