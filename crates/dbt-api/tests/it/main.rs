//! `dbt-api` over HTTP: the exact requests, and the result of every kind of answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod answers;
mod broken;
mod decoding;
mod limits;
mod never_twice;
mod redirects;
mod requests;
mod retry_after;
mod run_requests;
mod secrets;
mod socket;
mod statuses;
mod support;
