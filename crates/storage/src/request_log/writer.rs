//! The writer: one task that takes all queued rows and writes them with one commit.
//!
//! There is no timer: the next group gathers during a commit, so an idle gateway writes immediately and a busy one
//! shares commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shares::Share;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::receipt::{Committed, Entry, LogError};
use super::row::LogRow;
use super::sink::{RequestLog, WriteError};
use super::write_state::WriteState;
use crate::metrics::StorageMetrics;

/// How rows are queued and written.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Maximum number of queued and reserved rows, from 2.
    pub capacity: usize,
    /// Maximum number of rows per commit, from 1.
    pub group_max_rows: usize,
    /// The first pause after a failed commit.
    pub retry_min: Duration,
    /// The longest pause after failed commits.
    pub retry_max: Duration,
}

pub(super) struct Writer {
    pub(super) sink: Arc<dyn RequestLog>,
    pub(super) queue: mpsc::UnboundedReceiver<Entry>,
    pub(super) settings: QueueSettings,
    /// Cancelled: what is not written is lost.
    pub(super) give_up: CancellationToken,
    pub(super) state: WriteState,
    pub(super) metrics: Arc<StorageMetrics>,
}

impl Writer {
    /// Runs until the queue is closed and empty. Returns the number of lost rows.
    pub(super) async fn run(mut self) -> usize {
        let mut lost = 0;
        let mut ready = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = self.give_up.cancelled() => break,
                taken = self.queue.recv_many(&mut ready, self.settings.group_max_rows) => {
                    if taken == 0 {
                        return lost;
                    }
                }
            }
            let mut group = Group::of(ready.drain(..));
            lost += self.write(&mut group).await;
        }
        self.queue.close();
        while let Ok(entry) = self.queue.try_recv() {
            lost += self.lose(&mut Group::of(std::iter::once(entry)));
        }
        lost
    }

    fn lose(&self, group: &mut Group) -> usize {
        let rows = group.rows.len();
        self.metrics.lost(rows);
        group.resolve(Err(LogError::Unavailable));
        rows
    }

    /// Writes the group, retrying until it succeeds, and resolves the receipts. Returns the number of lost rows.
    ///
    /// A rejected group is halved until the rejected row is alone; that row is then written without its details.
    async fn write(&self, group: &mut Group) -> usize {
        let mut pause = self.settings.retry_min;
        let (mut is_reduced, mut is_unavailable) = (false, false);
        loop {
            let begun = Instant::now();
            let written = tokio::select! {
                written = self.sink.write(&group.rows) => written,
                () = self.give_up.cancelled() => return self.lose(group),
            };
            if let Err(error) = &written {
                self.metrics.commit_failed(error.reason());
            }
            let error = match written {
                Ok(()) => {
                    self.state.succeeded();
                    self.metrics.committed(group.rows.len(), begun.elapsed());
                    group.resolve(Ok(()));
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
                        group.resolve(Err(LogError::Refused));
                        return 1;
                    }
                    tracing::error!(request.uuid = %request_uuid, error = cause, "row refused by the database, written without its details");
                    *row = row.reduced(&format!("row refused by the database: {error}"));
                    is_reduced = true;
                    continue;
                }
                Err(error) => error,
            };
            self.state.failed();
            log_outage(&error, group.rows.len(), std::mem::replace(&mut is_unavailable, true));
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(self.settings.retry_max),
                () = self.give_up.cancelled() => return self.lose(group),
            }
        }
    }
}

/// One `ERROR` line per outage, since a person must act on it.
fn log_outage(error: &WriteError, rows: usize, is_known: bool) {
    let error = error as &dyn std::error::Error;
    if is_known {
        tracing::warn!(rows, error, "request log still not written");
    } else {
        tracing::error!(rows, error, "request log not written, trying again");
    }
}

/// Rows with different UUIDs, the receipts of each, and their room in the queue.
struct Group {
    rows: Vec<LogRow>,
    waiting: Vec<Vec<Committed>>,
    room: Vec<Share>,
}

impl Group {
    /// A row that is opened and closed within one group is written once.
    fn of(entries: impl Iterator<Item = Entry>) -> Self {
        let mut group = Self {
            rows: Vec::new(),
            waiting: Vec::new(),
            room: Vec::new(),
        };
        let mut positions = std::collections::HashMap::new();
        for Entry { row, committed, room } in entries {
            group.room.extend(room);
            let position = *positions.entry(row.request_uuid()).or_insert(group.rows.len());
            if position == group.rows.len() {
                group.rows.push(row);
                group.waiting.push(vec![committed]);
            } else {
                group.rows[position] = row;
                group.waiting[position].push(committed);
            }
        }
        group
    }

    fn split_off_half(&mut self) -> Option<Self> {
        let half = self.rows.len() / 2;
        (half > 0).then(|| Self {
            rows: self.rows.split_off(half),
            waiting: self.waiting.split_off(half),
            // Given back with the first half.
            room: Vec::new(),
        })
    }

    fn resolve(&mut self, result: Result<(), LogError>) {
        self.room.clear();
        for committed in self.waiting.drain(..).flatten() {
            // Fails if the caller's deadline has passed.
            let _ = committed.send(result);
        }
    }
}
