//! Whether rows can be written: kept by the writer, read by the readiness check.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct WriteState(Arc<Mutex<Option<Instant>>>);

impl WriteState {
    pub(super) fn succeeded(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps the time of the first failure.
    pub(super) fn failed(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now);
    }

    /// How long writes have been failing.
    pub(super) fn failing_for(&self) -> Option<Duration> {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }
}
