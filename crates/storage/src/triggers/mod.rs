//! Starting a run exactly once: the attempts, with the idempotency keys of their requests, and the locks of jobs.

mod attempt;
mod attempt_row;
mod job_locks;
mod ledger;
mod memory;
mod postgres;
mod tidy;

pub use attempt::{Attempt, AttemptEnd, AttemptLease, NewAttempt, RecentAttempt, Resolution, StartKind, Watermark};
pub use ledger::{Begun, KeyBegun, TriggerLedger};
pub use memory::MemoryTriggerLedger;
pub use postgres::PgTriggerLedger;
