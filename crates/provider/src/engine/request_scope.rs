//! The row of one request: opened where it must be, closed in every case.

use std::error::Error;
use std::sync::Arc;

use model::{Clock, Held, RequestStamp, ServedFrom, Source, error_chain};
use shares::{Owner, Share};
use storage::{Closing, FixedColumns, LogRow, LogSlot, Outcome, Receipt, RowLimits};
use tokio_util::sync::CancellationToken;

use crate::ProviderError;
use crate::engine::outcome;
use crate::exchanges::Exchanges;

/// Owns the request's reserved slots in the log's queue, so that its row can be queued at any moment without waiting.
/// Dropped before its end, it closes the row: as `caller_gone` when the caller has disconnected; at the shutdown
/// deadline, as `abandoned` if a change was sent.
pub(crate) struct RequestScope {
    /// `None` once the row is closed.
    slot: Option<LogSlot>,
    fixed: Arc<FixedColumns>,
    stamp: RequestStamp,
    clock: Arc<dyn Clock>,
    limits: RowLimits,
    exchanges: Arc<Exchanges>,
    is_open: bool,
    /// The request's place, or its place among the streams.
    place: Share,
    /// Cancelled when the shutdown deadline has passed.
    stopping: CancellationToken,
}

impl RequestScope {
    pub(crate) fn new(
        (slot, place): (LogSlot, Share),
        fixed: FixedColumns,
        stamp: RequestStamp,
        clock: Arc<dyn Clock>,
        limits: RowLimits,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            slot: Some(slot),
            fixed: Arc::new(fixed),
            exchanges: Arc::new(Exchanges::new(stamp.served.clone())),
            stamp,
            clock,
            limits,
            is_open: false,
            place,
            stopping,
        }
    }

    pub(crate) fn exchanges(&self) -> Arc<Exchanges> {
        Arc::clone(&self.exchanges)
    }

    /// Queues the open row.
    pub(crate) fn open(&mut self) -> Result<Receipt, ProviderError> {
        let slot = self.slot.as_mut().ok_or(ProviderError::Panicked)?;
        slot.reserve_open()?;
        self.is_open = true;
        Ok(slot.open(self.fixed.open())?)
    }

    /// Whether the open row was queued.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The company and the key.
    pub(crate) fn owner(&self) -> &Owner {
        self.place.owner()
    }

    /// Counts the request as a streamed answer from now on.
    pub(crate) fn becomes_stream(&mut self, place: Share) {
        self.place = place;
        if let Some(slot) = &mut self.slot {
            slot.becomes_stream();
        }
    }

    /// What is held until the answer is written.
    pub(crate) fn held(&self) -> &Held {
        &self.stamp.held
    }

    /// Queues the whole row.
    pub(crate) fn end<T>(self, result: Result<&T, &ProviderError>) -> Receipt {
        match result {
            Ok(_) => self.end_as(Outcome::Succeeded, None),
            Err(error) => self.end_as(outcome::of(error), Some(error)),
        }
    }

    /// Queues the whole row with that outcome.
    pub(crate) fn end_as(mut self, outcome: Outcome, error: Option<&dyn Error>) -> Receipt {
        self.close(outcome, error.map(error_chain).as_deref())
    }

    fn close(&mut self, outcome: Outcome, error: Option<&str>) -> Receipt {
        let Some(slot) = self.slot.take() else {
            return Receipt::closed();
        };
        let record = self.exchanges.take();
        // A request is refused only if dbt Cloud was not contacted; later, the gateway lacked something in the middle of it.
        let outcome = match outcome {
            Outcome::Refused if record.attempts > 0 => Outcome::InternalError,
            outcome => outcome,
        };
        let mut closing = Closing::new(outcome, &self.stamp, self.clock.now(), error, &self.limits).with_exchanges(
            record.attempts,
            &record.logged,
            &self.limits,
        );
        closing.status_code = record.last_status.map(|status| status.as_u16());
        closing.job_id = record.job_id;
        closing.run_id = record.run_id;
        // Without an attempt, an exchange that was begun was held back here.
        let elsewhere = |source: &Source| record.attempts == 0 && source.from != ServedFrom::Dbt;
        if let Some(source) = self.stamp.served.get().filter(elsewhere) {
            closing.served_from = Some(source.from);
            closing.source_request_uuid = source.request_uuid;
        }
        if record.attempts == 0 && closing.served_from.is_none() {
            closing.status_code = None;
        }
        closing.bytes = (record.attempts > 0).then(|| i64::try_from(record.bytes).unwrap_or(i64::MAX));
        slot.close(if self.is_open {
            self.fixed.open().close(closing)
        } else {
            LogRow::complete(Arc::clone(&self.fixed), closing)
        })
    }
}

impl Drop for RequestScope {
    fn drop(&mut self) {
        // The row is queued; its receipt is not awaited.
        if self.slot.is_none() {
            return;
        }
        drop(match (self.stopping.is_cancelled(), self.exchanges.has_sent_change()) {
            (true, true) => self.close(
                Outcome::Abandoned,
                Some("the gateway stopped before dbt Cloud answered: what the change did is unknown"),
            ),
            (true, false) => self.close(
                Outcome::CallerGone,
                Some("the gateway stopped before the request ended"),
            ),
            (false, _) => self.close(Outcome::CallerGone, None),
        });
    }
}
