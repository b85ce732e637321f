//! The time limit of a stop: one point in time for all its parts.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::signals::Signals;

/// What a second signal leaves: time to write the rows of what it ends.
const AFTER_SECOND_SIGNAL: Duration = Duration::from_secs(5);

/// When a stop must be over. A second signal brings it forward.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    at: Instant,
    signals: Signals,
    /// The share of the time that is kept for the rows and the rest, once the requests have ended.
    kept: Duration,
}

impl Deadline {
    /// `drain` and `timeout` after the first signal, which arrived at `stopped_at`.
    pub(crate) fn new(stopped_at: Instant, drain: Duration, timeout: Duration, signals: Signals) -> Self {
        Self {
            at: stopped_at + drain + timeout,
            signals,
            kept: (timeout / 3).min(AFTER_SECOND_SIGNAL),
        }
    }

    /// Until when requests may run, unless a second signal arrives.
    pub(crate) fn of_requests(&self) -> Instant {
        self.at - self.kept
    }

    /// Until when rows are written.
    pub(crate) fn of_rows(&self) -> Instant {
        self.end() - self.kept / 3
    }

    /// When everything is over.
    pub(crate) fn end(&self) -> Instant {
        match self.signals.time_of(2) {
            Some(second) => self.at.min(second + AFTER_SECOND_SIGNAL),
            None => self.at,
        }
    }

    /// The time that is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.end().saturating_duration_since(Instant::now())
    }

    /// Waits until rows are no longer written.
    pub(crate) async fn rows_passed(&self) {
        self.passed(Self::of_rows).await;
    }

    /// Runs a part of the stop until the end. Past it, the part is dropped, and a line in the log names it.
    pub(crate) async fn limit<T>(&self, part: &str, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.passed(Self::end) => {
                tracing::warn!(part, "a part of the shutdown did not end in time");
                None
            }
        }
    }

    /// Waits for that moment, which a second signal brings forward.
    async fn passed(&self, moment: fn(&Self) -> Instant) {
        tokio::select! {
            () = sleep_until(moment(self)) => {}
            _ = self.signals.wait_for(2) => sleep_until(moment(self)).await,
        }
    }
}
