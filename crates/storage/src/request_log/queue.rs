//! The bounded queue before the writer: a request takes its places first, so that its row can always be queued.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::row::LogRow;
use super::writer::{Entry, RequestLog, Writer};
use crate::StorageMetrics;

/// How rows are queued and written.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// How many rows may wait or be promised at once, from 2.
    pub capacity: usize,
    /// At most so many rows share a commit, from 1.
    pub group_max_rows: usize,
    /// The first pause after a failed commit.
    pub retry_min: Duration,
    /// The longest pause after failed commits.
    pub retry_max: Duration,
}

/// Why a row is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// So many requests are under way that no row can be promised to another.
    #[error("the request log's queue is full")]
    QueueFull,
    /// The row was not committed in time. It may be later.
    #[error("the request log could not be written in time")]
    Unavailable,
    /// The database refused the row, even reduced.
    #[error("the request log refused the row")]
    Refused,
    /// This process is stopping.
    #[error("the request log is closed")]
    Closed,
}

/// The way into the request log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogQueue {
    sender: mpsc::Sender<Entry>,
    closing: CancellationToken,
    give_up: CancellationToken,
    metrics: Arc<StorageMetrics>,
}

impl LogQueue {
    /// Starts the writer. Its handle yields how many rows had to be given up, after [`Self::close`].
    pub fn start(
        sink: Arc<dyn RequestLog>,
        settings: QueueSettings,
        metrics: Arc<StorageMetrics>,
    ) -> (Self, JoinHandle<usize>) {
        let (sender, queue) = mpsc::channel(settings.capacity);
        let (closing, give_up) = (CancellationToken::new(), CancellationToken::new());
        let writer = Writer {
            sink,
            queue,
            settings,
            closing: closing.clone(),
            give_up: give_up.clone(),
            metrics: Arc::clone(&metrics),
        };
        (
            Self {
                sender,
                closing,
                give_up,
                metrics,
            },
            tokio::spawn(writer.run()),
        )
    }

    /// Takes the places for one request: one for a row that is written once, two for one that is opened first.
    ///
    /// # Errors
    /// [`LogError::QueueFull`], [`LogError::Closed`].
    pub fn reserve(&self, opens: bool) -> Result<LogSlot, LogError> {
        // The writer may be too busy to have closed the queue yet.
        if self.closing.is_cancelled() {
            return Err(LogError::Closed);
        }
        let place = || {
            self.sender
                .clone()
                .try_reserve_owned()
                .map_err(|refused| match refused {
                    mpsc::error::TrySendError::Full(_) => LogError::QueueFull,
                    mpsc::error::TrySendError::Closed(_) => LogError::Closed,
                })
        };
        Ok(LogSlot {
            open: if opens { Some(place()?) } else { None },
            close: place()?,
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// How many rows wait or are promised.
    pub fn depth(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// How many may.
    pub fn capacity(&self) -> usize {
        self.sender.max_capacity()
    }

    /// Takes no new requests. The writer ends when the last promised row is written.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Stops trying to write what Postgres does not take: at the end of a shutdown's patience.
    pub fn give_up(&self) {
        self.give_up.cancel();
    }
}

/// The places of one request in the queue. Its row always fits.
#[derive(Debug)]
pub struct LogSlot {
    open: Option<OwnedPermit<Entry>>,
    close: OwnedPermit<Entry>,
    metrics: Arc<StorageMetrics>,
}

impl LogSlot {
    /// Queues the open row, once, in a slot that was reserved for it; the receipt is good when it is committed.
    ///
    /// # Errors
    /// [`LogError::Refused`] when the slot has no place for an open row (any more).
    pub fn open(&mut self, row: LogRow) -> Result<Receipt, LogError> {
        Ok(queue(self.open.take().ok_or(LogError::Refused)?, row))
    }

    /// Queues the whole row, with which the request has ended. Never waits and never fails; the receipt is good when it is committed.
    pub fn close(self, row: LogRow) -> Receipt {
        self.metrics.ended(&row);
        queue(self.close, row)
    }
}

fn queue(place: OwnedPermit<Entry>, row: LogRow) -> Receipt {
    let (done, committed) = oneshot::channel();
    place.send(Entry { row, done });
    Receipt(committed)
}

/// The promise that a queued row will be committed.
#[derive(Debug)]
#[must_use = "an answer may leave only when its row is committed"]
pub struct Receipt(oneshot::Receiver<Result<(), LogError>>);

impl Receipt {
    /// Of a row that is not in the queue: its commit never comes.
    pub fn never() -> Self {
        Self(oneshot::channel().1)
    }

    /// Waits for the commit, at most so long. Giving up does not take the row out of the queue.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] after `patience`, [`LogError::Refused`].
    pub async fn committed_within(self, patience: Duration) -> Result<(), LogError> {
        let span = tracing::debug_span!(
            "db.request_log.write",
            otel.kind = "client",
            db.system.name = "postgresql"
        );
        match tokio::time::timeout(patience, self.0).instrument(span).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(LogError::Closed),
            Err(_) => Err(LogError::Unavailable),
        }
    }
}
