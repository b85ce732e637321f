//! `provider` against a dbt Cloud and a log that do as they are told: what is sent, what is logged, and in which order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod caller_gone;
mod cancel;
mod changes;
mod exact_name;
mod gather;
mod just_started;
mod never_twice;
mod queue_full;
mod reads;
mod retries;
mod retry;
mod run_failure;
mod streamed;
mod support;
