//! A limit on events per minute.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The rest of this minute's events, and how many were refused.
#[derive(Debug)]
pub(super) struct EventQuota {
    per_minute: u32,
    left: AtomicU32,
    refused: AtomicU64,
}

impl EventQuota {
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            left: per_minute.into(),
            refused: AtomicU64::new(0),
        }
    }

    /// Whether one more event is within the limit. Refused ones are counted.
    pub(super) fn take(&self) -> bool {
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Starts another minute; returns the events refused in the last one.
    pub(super) fn refill(&self) -> u64 {
        self.left.store(self.per_minute, Ordering::Relaxed);
        self.refused.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_beyond_the_limit_are_refused_and_counted() {
        let quota = EventQuota::new(2);
        assert_eq!([(); 4].map(|()| quota.take()), [true, true, false, false]);
        assert_eq!(quota.refill(), 2);
        assert_eq!((quota.take(), quota.refill()), (true, 0));
    }
}
