//! The bounded queue of the writer. A request reserves its slots first, so that its row can always be queued.

use std::sync::Arc;

use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::receipt::{Entry, LogError, Receipt};
use super::row::LogRow;
use super::sink::RequestLog;
use super::writer::{QueueSettings, Writer};
use crate::metrics::StorageMetrics;

/// Queues rows for the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogQueue {
    sender: mpsc::Sender<Entry>,
    closing: CancellationToken,
    give_up: CancellationToken,
    metrics: Arc<StorageMetrics>,
}

impl LogQueue {
    /// Starts the writer. It ends after [`Self::close`]; its handle then yields the number of lost rows.
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

    /// Reserves the slots of one request: one for its complete row and, if `opens`, one for its open row.
    ///
    /// # Errors
    /// [`LogError::QueueFull`], [`LogError::Closed`].
    pub fn reserve(&self, opens: bool) -> Result<LogSlot, LogError> {
        // The writer may not have closed the queue yet.
        if self.closing.is_cancelled() {
            return Err(LogError::Closed);
        }
        let slot = || {
            self.sender
                .clone()
                .try_reserve_owned()
                .map_err(|refused| match refused {
                    mpsc::error::TrySendError::Full(_) => LogError::QueueFull,
                    mpsc::error::TrySendError::Closed(_) => LogError::Closed,
                })
        };
        Ok(LogSlot {
            open: if opens { Some(slot()?) } else { None },
            close: slot()?,
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// Number of queued and reserved rows.
    pub fn depth(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Maximum of [`Self::depth`].
    pub fn capacity(&self) -> usize {
        self.sender.max_capacity()
    }

    /// Refuses new reservations. The writer ends when every reserved row is written.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Drops rows whose write fails from now on: called when the shutdown timeout has passed.
    pub fn give_up(&self) {
        self.give_up.cancel();
    }
}

/// The reserved slots of one request.
#[derive(Debug)]
pub struct LogSlot {
    open: Option<OwnedPermit<Entry>>,
    close: OwnedPermit<Entry>,
    metrics: Arc<StorageMetrics>,
}

impl LogSlot {
    /// Queues the open row.
    ///
    /// # Errors
    /// [`LogError::Refused`] if no slot was reserved for an open row, or on a second call.
    pub fn open(&mut self, row: LogRow) -> Result<Receipt, LogError> {
        Ok(send(self.open.take().ok_or(LogError::Refused)?, row))
    }

    /// Queues the complete row and counts the request. Never waits and never fails.
    pub fn close(self, row: LogRow) -> Receipt {
        row.count_ended(&self.metrics);
        send(self.close, row)
    }
}

fn send(slot: OwnedPermit<Entry>, row: LogRow) -> Receipt {
    let (entry, receipt) = Entry::new(row);
    slot.send(entry);
    receipt
}
