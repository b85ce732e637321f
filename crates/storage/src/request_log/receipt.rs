//! A queued row, and the receipt that resolves when it is committed.

use std::time::Duration;

use shares::{Exhausted, Share};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::row::LogRow;

/// Why a row is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No room for another row: too many are queued.
    #[error(transparent)]
    QueueFull(#[from] Exhausted),
    /// The row was not committed in time. It may still be committed later.
    #[error("the request log could not be written in time")]
    Unavailable,
    /// The database refused the row, also reduced.
    #[error("the request log refused the row")]
    Refused,
    /// This process is stopping.
    #[error("the request log is closed")]
    Closed,
}

/// Sends the result of the commit to the receipt.
pub(super) type Committed = oneshot::Sender<Result<(), LogError>>;

/// A row in the queue.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) row: LogRow,
    pub(super) committed: Committed,
    /// Its room in the queue, given back when the row is written or lost.
    pub(super) room: Option<Share>,
}

impl Entry {
    pub(super) fn new(row: LogRow, room: Option<Share>) -> (Self, Receipt) {
        let (committed, receipt) = oneshot::channel();
        (Self { row, committed, room }, Receipt(receipt))
    }
}

/// Resolves when a queued row is committed.
#[derive(Debug)]
#[must_use = "an answer may be sent only after its row is committed"]
pub struct Receipt(oneshot::Receiver<Result<(), LogError>>);

impl Receipt {
    /// A receipt without a queued row: waiting for it fails with [`LogError::Closed`].
    pub fn closed() -> Self {
        Self(oneshot::channel().1)
    }

    /// Waits for the commit. The row stays queued after the timeout.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] after `timeout`, [`LogError::Refused`], [`LogError::Closed`].
    pub async fn committed_within(self, timeout: Duration) -> Result<(), LogError> {
        let span = tracing::debug_span!(
            "db.request_log.write",
            otel.kind = "client",
            db.system.name = "postgresql"
        );
        match tokio::time::timeout(timeout, self.0).instrument(span).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(LogError::Closed),
            Err(_) => Err(LogError::Unavailable),
        }
    }
}
