//! The writer: one task that takes every row that is ready and writes them with one commit.
//!
//! Nobody waits for a timer: while one commit is under way the next group gathers, so an idle gateway writes at once
//! and a busy one shares commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::queue::{LogError, QueueSettings};
use super::row::LogRow;
use crate::StorageMetrics;

/// Where groups of rows go. [`super::PgRequestLog`] is the real one.
#[async_trait]
pub trait RequestLog: Send + Sync {
    /// Writes all rows, which have different UUIDs, with one commit; or none. Writing a row again is harmless.
    ///
    /// # Errors
    /// [`WriteError`].
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError>;
}

/// Why a group was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database is away or cannot take any row now: the same group may succeed later.
    #[error("the request log cannot be written now")]
    Unavailable(#[source] sqlx::Error),
    /// The database did not answer in time; the rows may have been written or not.
    #[error("the database did not answer within {0:?}")]
    TooSlow(Duration),
    /// The database takes other rows, but not one of these.
    #[error("a row was refused by the database")]
    Rejected(#[source] sqlx::Error),
}

/// A row in the queue, and who waits for its commit.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) row: LogRow,
    pub(super) done: oneshot::Sender<Result<(), LogError>>,
}

pub(super) struct Writer {
    pub(super) sink: Arc<dyn RequestLog>,
    pub(super) queue: mpsc::Receiver<Entry>,
    pub(super) settings: QueueSettings,
    /// Cancelled: no new rows; what is queued or promised is still written.
    pub(super) closing: CancellationToken,
    /// Cancelled: give up what cannot be written.
    pub(super) give_up: CancellationToken,
    pub(super) metrics: Arc<StorageMetrics>,
}

impl Writer {
    /// Runs until the queue is closed and empty. Returns how many rows were given up.
    pub(super) async fn run(mut self) -> usize {
        let mut lost = 0;
        let mut ready = Vec::new();
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut ready, self.settings.group_max_rows) => {
                    if taken == 0 {
                        return lost;
                    }
                }
                () = self.closing.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            }
            let mut group = Group::of(ready.drain(..));
            lost += self.write(&mut group).await;
        }
    }

    /// Writes the group, however long it takes, and tells those who wait. Returns how many rows were given up.
    ///
    /// Where one row is poisonous the group is halved until the culprit stands alone, and that one is written without
    /// what came from outside.
    async fn write(&self, group: &mut Group) -> usize {
        let mut pause = self.settings.retry_min;
        let (mut is_reduced, mut is_away) = (false, false);
        loop {
            let begun = Instant::now();
            let written = self.sink.write(&group.rows).await;
            if let Err(error) = &written {
                self.metrics.failed(error);
            }
            let error = match written {
                Ok(()) => {
                    self.metrics.committed(group.rows.len(), begun.elapsed());
                    group.answer(Ok(()));
                    return 0;
                }
                Err(WriteError::Rejected(error)) => {
                    if let Some(mut half) = group.split_off_half() {
                        return Box::pin(self.write(group)).await + Box::pin(self.write(&mut half)).await;
                    }
                    let row = &mut group.rows[0];
                    let request_uuid = row.request_uuid();
                    let cause = &error as &dyn std::error::Error;
                    if is_reduced {
                        tracing::error!(request.uuid = %request_uuid, error = cause, "row lost: refused even without its details");
                        self.metrics.lost(1);
                        group.answer(Err(LogError::Refused));
                        return 1;
                    }
                    tracing::error!(request.uuid = %request_uuid, error = cause, "row refused by the database, written without its details");
                    *row = row.with_fixed_columns_only(&format!("row refused by the database: {error}"));
                    is_reduced = true;
                    continue;
                }
                Err(error) => error,
            };
            tell_of_outage(&error, group.rows.len(), std::mem::replace(&mut is_away, true));
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(self.settings.retry_max),
                () = self.give_up.cancelled() => {
                    self.metrics.lost(group.rows.len());
                    group.answer(Err(LogError::Unavailable));
                    return group.rows.len();
                }
            }
        }
    }
}

/// A person is told once an outage.
fn tell_of_outage(error: &WriteError, rows: usize, is_known: bool) {
    let error = error as &dyn std::error::Error;
    if is_known {
        tracing::warn!(rows, error, "request log still not written");
    } else {
        tracing::error!(rows, error, "request log not written, trying again");
    }
}

/// Rows with different UUIDs, and who waits for each.
struct Group {
    rows: Vec<LogRow>,
    waiting: Vec<Vec<oneshot::Sender<Result<(), LogError>>>>,
}

impl Group {
    /// A row that is opened and closed within one group is written once, whole.
    fn of(entries: impl Iterator<Item = Entry>) -> Self {
        let mut group = Self {
            rows: Vec::new(),
            waiting: Vec::new(),
        };
        let mut places = std::collections::HashMap::new();
        for Entry { row, done } in entries {
            let place = *places.entry(row.request_uuid()).or_insert(group.rows.len());
            if place == group.rows.len() {
                group.rows.push(row);
                group.waiting.push(vec![done]);
            } else {
                group.rows[place] = row;
                group.waiting[place].push(done);
            }
        }
        group
    }

    fn split_off_half(&mut self) -> Option<Self> {
        let half = self.rows.len() / 2;
        (half > 0).then(|| Self {
            rows: self.rows.split_off(half),
            waiting: self.waiting.split_off(half),
        })
    }

    fn answer(&mut self, result: Result<(), LogError>) {
        for done in self.waiting.drain(..).flatten() {
            // Nobody waits any more: the caller's deadline has passed.
            let _ = done.send(result);
        }
    }
}
