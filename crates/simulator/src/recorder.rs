//! Records the requests to dbt's APIs, for tests and the control endpoint.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::stamp;

/// One request as sent, with the status of its answer.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// From 1, in the order of arrival.
    pub sequence: u64,
    /// Simulated time of arrival.
    pub at: DateTime<Utc>,
    /// As sent, e.g. `POST`.
    pub method: String,
    /// Path and query exactly as sent, percent-encoding included.
    pub target: String,
    /// Names are lower-case, values as sent (bytes that are not UTF-8 are replaced).
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Bytes,
    /// Path template of the operation, e.g. `/api/v2/accounts/{account_id}/runs/`; `None` when a fault answered instead or
    /// there is no such operation.
    pub operation: Option<&'static str>,
    /// The status of the answer; `None` before it, and when the connection was reset or the caller disconnected.
    pub status: Option<u16>,
}

impl RecordedRequest {
    /// The path as sent, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query as sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The first header of that name (lower-case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "sequence": self.sequence,
            "at": stamp::zulu(self.at),
            "method": self.method,
            "target": self.target,
            "path": self.path(),
            "query": self.query(),
            "headers": self.headers,
            "body": String::from_utf8_lossy(&self.body),
            "operation": self.operation,
            "status": self.status,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Recorder {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    requests: VecDeque<RecordedRequest>,
}

impl Recorder {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, mut request: RecordedRequest) -> u64 {
        let mut kept = self.kept();
        kept.last += 1;
        request.sequence = kept.last;
        if kept.requests.len() == self.limit {
            kept.requests.pop_front();
        }
        kept.requests.push_back(request);
        kept.last
    }

    pub(crate) fn finish(&self, sequence: u64, operation: Option<&'static str>, status: Option<u16>) {
        let mut kept = self.kept();
        if let Some(request) = kept
            .requests
            .iter_mut()
            .rev()
            .find(|request| request.sequence == sequence)
        {
            request.operation = operation;
            request.status = status;
        }
    }

    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        self.kept().requests.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.kept().requests.clear();
    }
}
