//! A request log in memory that can be unavailable, stalled, or rejecting rows.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use storage::{LogRow, Outcome, RequestLog, WriteError};
use tokio::sync::watch;

use super::{Journal, within_an_hour};

/// How the log treats rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogMode {
    /// Writes them immediately.
    Accepts,
    /// Each write fails, and the writer retries.
    Unavailable,
    /// A write does not return until the mode changes.
    Stalls,
    /// Each row is rejected for good.
    RejectsAll,
}

pub(crate) struct MemoryLog {
    journal: Journal,
    mode: watch::Sender<LogMode>,
    attempts: watch::Sender<usize>,
    /// Every row written, once per write.
    written: Mutex<Vec<LogRow>>,
    rows: watch::Sender<Vec<LogRow>>,
}

impl MemoryLog {
    pub(super) fn new(journal: Journal) -> Self {
        Self {
            journal,
            mode: watch::Sender::new(LogMode::Accepts),
            attempts: watch::Sender::new(0),
            written: Mutex::default(),
            rows: watch::Sender::default(),
        }
    }

    pub(crate) fn set_mode(&self, mode: LogMode) {
        self.mode.send_replace(mode);
    }

    /// Waits until the writer has tried to write `count` times.
    pub(crate) async fn write_attempts(&self, count: usize) {
        let mut attempts = self.attempts.subscribe();
        within_an_hour(attempts.wait_for(|attempts| *attempts >= count))
            .await
            .unwrap();
    }

    /// The table: one row per request.
    pub(crate) fn rows(&self) -> Vec<LogRow> {
        self.rows.borrow().clone()
    }

    pub(crate) fn only_row(&self) -> LogRow {
        let mut rows = self.rows();
        assert_eq!(rows.len(), 1, "one request is one row");
        rows.remove(0)
    }

    /// Waits until a row is closed, and returns it.
    pub(crate) async fn closed_row(&self) -> LogRow {
        let mut rows = self.rows.subscribe();
        let closed = within_an_hour(rows.wait_for(|rows| rows.iter().any(|row| row.outcome().is_some())))
            .await
            .unwrap();
        closed.iter().find(|row| row.outcome().is_some()).unwrap().clone()
    }

    /// The number of writes.
    pub(crate) fn writes(&self) -> usize {
        self.written.lock().unwrap().len()
    }
}

#[async_trait]
impl RequestLog for MemoryLog {
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError> {
        self.attempts.send_modify(|attempts| *attempts += 1);
        let mode = *self
            .mode
            .subscribe()
            .wait_for(|mode| *mode != LogMode::Stalls)
            .await
            .unwrap();
        match mode {
            LogMode::Unavailable => return Err(WriteError::TooSlow(Duration::from_secs(1))),
            LogMode::RejectsAll => return Err(WriteError::Rejected(sqlx::Error::RowNotFound)),
            LogMode::Accepts | LogMode::Stalls => {}
        }
        self.written.lock().unwrap().extend_from_slice(rows);
        for row in rows {
            self.journal
                .note(format!("row {}", row.outcome().map_or("open", Outcome::as_str)));
        }
        self.rows.send_modify(|table| {
            for row in rows {
                match table.iter_mut().find(|old| old.request_uuid() == row.request_uuid()) {
                    None => table.push(row.clone()),
                    Some(old) if old.outcome().is_none() => *old = row.clone(),
                    Some(_closed) => {}
                }
            }
        });
        Ok(())
    }
}

/// The exchanges of a row.
pub(crate) fn exchanges(row: &LogRow) -> Vec<Value> {
    let exchanges: Value = serde_json::from_str(row.closing().unwrap().exchanges()).unwrap();
    exchanges.as_array().unwrap().clone()
}

/// The reason (`why`) of each exchange of a row.
pub(crate) fn reasons(row: &LogRow) -> Vec<String> {
    let reason = |exchange: &Value| exchange["why"].as_str().unwrap().to_owned();
    exchanges(row).iter().map(reason).collect()
}
