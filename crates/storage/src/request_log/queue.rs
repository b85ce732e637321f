//! The bounded queue of the writer. A request reserves room for its rows first, so that they can always be queued.
//!
//! Companies and keys share the room: one that fills its share is refused while others are logged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shares::{Owner, Resource, Share, Shares};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::receipt::{Entry, LogError, Receipt};
use super::row::LogRow;
use super::sink::RequestLog;
use super::write_state::WriteState;
use super::writer::{QueueSettings, Writer};
use crate::metrics::StorageMetrics;

/// Queues rows for the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogQueue {
    /// `None` after [`Self::close`]. The writer ends when the slots have dropped their clones too.
    sender: Arc<Mutex<Option<UnboundedSender<Entry>>>>,
    /// The channel has no limit of its own: each queued row has its share, but the close of a stream and the row of
    /// a revocation.
    rows: Shares,
    give_up: CancellationToken,
    state: WriteState,
    metrics: Arc<StorageMetrics>,
}

impl LogQueue {
    /// The description of the queue.
    pub const ROWS: Resource = Resource {
        name: "request_log_rows",
        what: "rows queued for the request log",
        setting: "request_log.queue_capacity",
        levels: "company, key",
        when_full: "503 immediately",
    };

    /// Starts the writer. It ends after [`Self::close`]; its handle then yields the number of lost rows.
    pub fn start(
        sink: Arc<dyn RequestLog>,
        settings: QueueSettings,
        metrics: Arc<StorageMetrics>,
    ) -> (Self, JoinHandle<usize>) {
        let (sender, queue) = mpsc::unbounded_channel();
        let give_up = CancellationToken::new();
        let state = WriteState::default();
        let writer = Writer {
            sink,
            queue,
            settings,
            give_up: give_up.clone(),
            state: state.clone(),
            metrics: Arc::clone(&metrics),
        };
        let queue = Self {
            sender: Arc::new(Mutex::new(Some(sender))),
            rows: Shares::new(Self::ROWS, settings.capacity as u64),
            give_up,
            state,
            metrics,
        };
        (queue, tokio::spawn(writer.run()))
    }

    /// Reserves room for one request: for its complete row and, if `opens`, for its open row.
    ///
    /// # Errors
    /// [`LogError::QueueFull`], [`LogError::Closed`].
    pub fn reserve(&self, owner: &Owner, opens: bool) -> Result<LogSlot, LogError> {
        let sender = self.sender().ok_or(LogError::Closed)?;
        let room = self.rows.try_take(owner, if opens { 2 } else { 1 })?;
        Ok(LogSlot {
            sender,
            room: Some(room),
            opens,
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// A slot for one complete row that is never refused because the queue is full: for a change that must not depend on
    /// the log, such as a revocation. Its row counts in no share.
    ///
    /// # Errors
    /// [`LogError::Closed`].
    pub fn reserve_unrefused(&self) -> Result<LogSlot, LogError> {
        Ok(LogSlot {
            sender: self.sender().ok_or(LogError::Closed)?,
            room: None,
            opens: false,
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// How long commits have been failing without a success; `None`: the last one succeeded, or there was none.
    pub fn failing_for(&self) -> Option<Duration> {
        self.state.failing_for()
    }

    /// The rows queued and reserved.
    pub fn rows(&self) -> &Shares {
        &self.rows
    }

    /// Refuses new reservations. The writer ends when every reserved row is written.
    pub fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Ends the writer: the shutdown timeout has passed. Rows that are not written are lost, and so are those that are
    /// queued later.
    pub fn give_up(&self) {
        self.close();
        self.give_up.cancel();
    }

    fn sender(&self) -> Option<UnboundedSender<Entry>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The reserved room of one request.
#[derive(Debug)]
pub struct LogSlot {
    sender: UnboundedSender<Entry>,
    /// `None` for a stream.
    room: Option<Share>,
    /// Whether there is room for the open row.
    opens: bool,
    metrics: Arc<StorageMetrics>,
}

impl LogSlot {
    /// Reserves room for the open row, if there is none yet.
    ///
    /// # Errors
    /// [`LogError::QueueFull`].
    pub fn reserve_open(&mut self) -> Result<(), LogError> {
        if let (false, Some(room)) = (self.opens, &mut self.room) {
            room.try_grow(1)?;
            self.opens = true;
        }
        Ok(())
    }

    /// Queues the open row.
    ///
    /// # Errors
    /// [`LogError::Refused`] if no room was reserved for an open row, or on a second call.
    pub fn open(&mut self, row: LogRow) -> Result<Receipt, LogError> {
        if !std::mem::take(&mut self.opens) {
            return Err(LogError::Refused);
        }
        let room = self.room.as_mut().and_then(|room| room.split(1));
        Ok(send(&self.sender, row, room))
    }

    /// Gives the room back: the open row of a stream is committed, and its close, perhaps hours later, needs none. The
    /// number of streams is limited instead.
    pub fn becomes_stream(&mut self) {
        self.room = None;
    }

    /// Queues the complete row and counts the request. Never waits and never fails.
    pub fn close(self, row: LogRow) -> Receipt {
        row.count_ended(&self.metrics);
        send(&self.sender, row, self.room)
    }
}

/// After [`LogQueue::give_up`] the receipt fails with [`LogError::Closed`].
fn send(sender: &UnboundedSender<Entry>, row: LogRow, room: Option<Share>) -> Receipt {
    let (entry, receipt) = Entry::new(row, room);
    let _ = sender.send(entry);
    receipt
}
