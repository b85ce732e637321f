//! Operations on runs.

mod cancel;
mod failure;
mod retry;
