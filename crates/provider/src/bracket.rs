//! The row of one request: opened where it must be, closed however the request ends.

use std::sync::Arc;

use model::{Clock, RequestStamp, with_causes};
use storage::{Closing, FixedPart, LogSlot, Outcome, Receipt, RowLimits};

use crate::exchanges::Exchanges;
use crate::{ProviderError, outcome};

/// Owns the request's places in the log's queue, so its row can be queued at any moment, without waiting. Dropping it
/// unended, which happens when the caller goes away, closes the row too.
pub(crate) struct Bracket {
    /// Taken when the row is closed.
    slot: Option<LogSlot>,
    fixed: Arc<FixedPart>,
    stamp: RequestStamp,
    clock: Arc<dyn Clock>,
    limits: RowLimits,
    exchanges: Arc<Exchanges>,
}

impl Bracket {
    pub(crate) fn new(
        slot: LogSlot,
        fixed: FixedPart,
        stamp: RequestStamp,
        clock: Arc<dyn Clock>,
        limits: RowLimits,
    ) -> Self {
        Self {
            slot: Some(slot),
            fixed: Arc::new(fixed),
            stamp,
            clock,
            limits,
            exchanges: Arc::default(),
        }
    }

    pub(crate) fn exchanges(&self) -> Arc<Exchanges> {
        Arc::clone(&self.exchanges)
    }

    /// Queues the open row.
    pub(crate) fn open(&mut self) -> Result<Receipt, ProviderError> {
        let slot = self.slot.as_mut().ok_or(ProviderError::Panicked)?;
        Ok(slot.open(self.fixed.open())?)
    }

    /// Queues the whole row.
    pub(crate) fn end<T>(mut self, result: Result<&T, &ProviderError>) -> Option<Receipt> {
        let error = result.err();
        self.close(
            error.map_or(Outcome::Succeeded, outcome::of),
            error.map(|error| with_causes(error)).as_deref(),
        )
    }

    fn close(&mut self, outcome: Outcome, error: Option<&str>) -> Option<Receipt> {
        let slot = self.slot.take()?;
        let record = self.exchanges.snapshot();
        let mut closing = Closing::new(outcome, &self.stamp, self.clock.now(), error, &self.limits).with_exchanges(
            record.attempts,
            &record.told(),
            &self.limits,
        );
        closing.status_code = record.last_status.map(|status| status.as_u16());
        closing.run_id = record.run_id;
        Some(slot.close(self.fixed.open().close(closing)))
    }
}

impl Drop for Bracket {
    fn drop(&mut self) {
        // Nobody is left to wait for the receipt; the row is in the queue.
        drop(self.close(Outcome::CallerGone, None));
    }
}
