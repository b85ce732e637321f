//! Reads that several requests share: identical ones in flight make one exchange, and some answers are kept for a while.
//!
//! Nothing is shared between credentials. What is kept for longer than moments is what no change touches.

mod answer;
mod flights;
mod freshness;
mod generations;
mod kept;
mod key;
mod shared_reads;

pub(crate) use answer::WholeAnswer;
pub(crate) use flights::{Joined, Landing};
pub(crate) use key::{CredentialKey, ReadKey};
pub(crate) use shared_reads::SharedReads;
