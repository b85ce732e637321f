//! The binary as its users run it: real processes, a real Postgres, real signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deployment;
mod fake_sentry;
mod kill;
mod load;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod no_secret;
mod process;
mod proxy;
mod secrets;
mod sentry;
mod shutdown;
mod spans;
mod start;
mod support;
mod under_load;
