//! How many events may leave in a minute.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What is left of this minute's events, and how many came beyond them.
#[derive(Debug)]
pub(super) struct Budget {
    per_minute: u32,
    left: AtomicU32,
    beyond: AtomicU64,
}

impl Budget {
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            left: per_minute.into(),
            beyond: AtomicU64::new(0),
        }
    }

    /// Whether one more event may leave. One that may not is counted.
    pub(super) fn take(&self) -> bool {
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_err() {
            self.beyond.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Begins another minute; returns how many events came beyond the last one's.
    pub(super) fn refill(&self) -> u64 {
        self.left.store(self.per_minute, Ordering::Relaxed);
        self.beyond.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_events_and_what_is_over_is_counted() {
        let budget = Budget::new(2);
        assert_eq!([(); 4].map(|()| budget.take()), [true, true, false, false]);
        assert_eq!(budget.refill(), 2);
        assert_eq!((budget.take(), budget.refill()), (true, 0));
    }
}
