//! Counts of connections, for the metrics.

use std::sync::atomic::{AtomicU64, AtomicUsize};

/// Since the start of the process, but for `open`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Connections that are open now.
    pub(crate) open: AtomicUsize,
    /// New connections that were refused at a limit.
    pub(crate) refused: AtomicU64,
    /// Connections that were closed to make room for new ones.
    pub(crate) made_room: AtomicU64,
    /// Connections that were closed because the peer was too slow.
    pub(crate) too_slow: AtomicU64,
}
