//! Idempotency keys of callers: one HMAC for each field of the first request, and its answer.

mod key;
mod own_changes;
mod rows;

pub use key::{Earlier, NewIdempotencyKey, StoredAnswer};
pub(crate) use own_changes::{OwnAnswer, begin_own, check_unused, end_own};
pub(crate) use rows::{begin, end, leave};
