//! `client`: authentication, account selection, permissions, and the row of each refusal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account_selection;
mod authenticate;
mod gate;
mod gate_sources;
mod support;
