//! The simulator from outside: HTTP against a running one, and its handle.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth;
mod contract;
mod control;
mod faults;
mod lists;
mod runs;
mod support;
