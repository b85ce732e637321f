//! `provider` between a scripted dbt Cloud and a request log in memory: what is sent, what is logged, and in which order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod engine;
mod projects;
mod runs;
mod support;
