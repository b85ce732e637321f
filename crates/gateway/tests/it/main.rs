//! Tests of the binary: real processes, a real Postgres, real signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deployment;
mod failover;
mod fake_sentry;
mod hostile_peers;
mod kill;
mod kill_switch;
mod load;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod postgres_proxy;
mod process;
mod reload;
mod secret_leaks;
mod secrets;
mod sentry;
mod shutdown;
mod silent_postgres;
mod spans;
mod start;
mod stop;
mod support;
mod under_load;
