//! Watched runs, and the callers that wait for them.

mod apply;
mod claim;
mod interest;
mod tidy;
mod waits;
mod watch;

pub use apply::Seen;
pub use claim::{Claim, WatchGroup};
pub use interest::Interest;
pub use waits::{CancelReason, NewWait, RunToCancel};
pub use watch::{RunKey, RunWatches, WatchLease, WatchState, WatchedRun};
