//! When periodic work last succeeded, by the monotonic clock of this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by the task that does the work and the readiness check that watches it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LastSuccess(Arc<Mutex<Option<Instant>>>);

impl LastSuccess {
    /// The work has succeeded now.
    pub fn record(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long ago that was; `None`: it has never succeeded.
    pub fn age(&self) -> Option<Duration> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|at| at.elapsed())
    }
}
