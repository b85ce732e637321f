//! Starting a run exactly once: the attempts, the callers' idempotency keys, and the locks of jobs.

mod attempt;
mod idempotency;
mod idempotency_rows;
mod job_locks;
mod ledger;
mod memory;
mod postgres;
mod tidy;

pub use attempt::{Attempt, AttemptEnd, AttemptLease, NewAttempt, RecentAttempt, Resolution, StartKind};
pub use idempotency::{Earlier, NewIdempotencyKey, StoredAnswer};
pub use ledger::{Begun, KeyBegun, TriggerLedger};
pub use memory::MemoryTriggerLedger;
pub use postgres::PgTriggerLedger;
