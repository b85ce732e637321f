//! A request log in memory that can be away, slow, or set against every row.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use storage::{LogRow, Outcome, RequestLog, WriteError};
use tokio::sync::watch;

use super::{Journal, soon};

/// How the log takes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// At once.
    Takes,
    /// Not now: each try fails, and the writer tries again.
    IsAway,
    /// It has the rows, and their commit does not come back until the mood changes.
    Holds,
    /// It takes other rows, but never the one that comes.
    RefusesAll,
}

pub(crate) struct MemoryLog {
    journal: Journal,
    mood: watch::Sender<Mood>,
    tries: watch::Sender<usize>,
    /// Every row that was written, as often as it was written.
    written: Mutex<Vec<LogRow>>,
    rows: watch::Sender<Vec<LogRow>>,
}

impl MemoryLog {
    pub(super) fn new(journal: Journal) -> Self {
        Self {
            journal,
            mood: watch::Sender::new(Mood::Takes),
            tries: watch::Sender::new(0),
            written: Mutex::default(),
            rows: watch::Sender::default(),
        }
    }

    pub(crate) fn now(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Waits until the writer has come that many times, whatever became of it.
    pub(crate) async fn tried(&self, count: usize) {
        let mut tries = self.tries.subscribe();
        soon(tries.wait_for(|tries| *tries >= count)).await.unwrap();
    }

    /// The table: one row a request.
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
        let closed = soon(rows.wait_for(|rows| rows.iter().any(|row| row.outcome().is_some())))
            .await
            .unwrap();
        closed.iter().find(|row| row.outcome().is_some()).unwrap().clone()
    }

    /// How often a row was written.
    pub(crate) fn writes(&self) -> usize {
        self.written.lock().unwrap().len()
    }
}

#[async_trait]
impl RequestLog for MemoryLog {
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError> {
        self.tries.send_modify(|tries| *tries += 1);
        let mood = *self
            .mood
            .subscribe()
            .wait_for(|mood| *mood != Mood::Holds)
            .await
            .unwrap();
        match mood {
            Mood::IsAway => return Err(WriteError::TooSlow(Duration::from_secs(1))),
            Mood::RefusesAll => return Err(WriteError::Rejected(sqlx::Error::RowNotFound)),
            Mood::Takes | Mood::Holds => {}
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

/// A row's exchanges, read.
pub(crate) fn exchanges(row: &LogRow) -> Vec<Value> {
    let exchanges: Value = serde_json::from_str(row.closing().unwrap().exchanges()).unwrap();
    exchanges.as_array().unwrap().clone()
}

/// Why each of a row's exchanges was made.
pub(crate) fn whys(row: &LogRow) -> Vec<String> {
    let why = |exchange: &Value| exchange["why"].as_str().unwrap().to_owned();
    exchanges(row).iter().map(why).collect()
}
