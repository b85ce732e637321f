//! What a connection is doing, and since when it waits for its peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::counts::Counts;

/// Shared by the parts of a connection and by the table of connections.
#[derive(Debug)]
pub(super) struct Activity {
    /// The clock of `waits_since`.
    start: Instant,
    /// Whether a request is being handled or its answer sent.
    in_request: AtomicBool,
    /// The number of requests so far.
    requests: AtomicU64,
    /// Milliseconds since `start`; [`Self::NOT`] while the connection does not wait for its peer.
    waits_since: AtomicU64,
    counts: Arc<Counts>,
}

impl Activity {
    const NOT: u64 = u64::MAX;

    /// Of a new connection, which waits for its first request.
    pub(super) fn new(start: Instant, counts: Arc<Counts>) -> Self {
        let activity = Self {
            start,
            in_request: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            waits_since: AtomicU64::new(Self::NOT),
            counts,
        };
        activity.waits_since.store(activity.now(), Ordering::Relaxed);
        activity
    }

    /// A request has arrived: its head is complete.
    pub(super) fn request_began(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_request.store(true, Ordering::Relaxed);
        self.waits_since.store(Self::NOT, Ordering::Relaxed);
    }

    /// The answer was handed over. The connection is idle, or the peer has yet to read it.
    pub(super) fn request_ended(&self) {
        self.in_request.store(false, Ordering::Relaxed);
        self.waits_since.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes wait for the peer.
    pub(super) fn peer_waits(&self) {
        let (not, now) = (Self::NOT, self.now());
        // Fails if they already did.
        let _ = self
            .waits_since
            .compare_exchange(not, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The peer read or sent something.
    pub(super) fn peer_moved(&self) {
        if self.is_in_request() {
            self.waits_since.store(Self::NOT, Ordering::Relaxed);
        }
    }

    /// The peer was slower than it may be: the connection is closed.
    pub(super) fn was_too_slow(&self) {
        self.counts.too_slow.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_in_request(&self) -> bool {
        self.in_request.load(Ordering::Relaxed)
    }

    /// The number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How long the connection has waited for its peer.
    pub(super) fn waits_for(&self) -> Option<Duration> {
        let since = self.waits_since.load(Ordering::Relaxed);
        (since != Self::NOT).then(|| Duration::from_millis(self.now().saturating_sub(since)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(Self::NOT - 1)
    }
}
