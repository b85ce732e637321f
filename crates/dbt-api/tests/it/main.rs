//! `dbt-api` against real HTTP: what is sent to the letter, and what becomes of every answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod answers;
mod broken;
mod limits;
mod never_twice;
mod recorded;
mod redirects;
mod requests;
mod retry_after;
mod run_requests;
mod secrets;
mod socket;
mod statuses;
mod support;
