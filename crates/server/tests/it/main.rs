//! The gateway as its callers see it: every floor for real, from HTTP in to the simulator of dbt Cloud and to Postgres.
//!
//! Nothing is replaced but dbt Cloud. What one floor does in each of its own cases is tested in that floor's crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![recursion_limit = "256"]

mod accounts;
mod api_keys;
mod artifacts;
mod auth;
mod big_list;
mod browsers;
mod credentials;
mod environments;
mod explorer;
mod graphql;
mod health;
mod job_definitions;
mod jobs;
mod limits;
mod list_runs;
mod log_export;
mod metrics;
mod never_twice;
mod odd_texts;
mod openapi;
mod paging;
mod problems;
mod projects;
mod relay;
mod request_logs;
mod roles;
mod rows;
mod run_failure;
mod run_steps;
mod runs;
mod secrets;
mod stop_and_retry;
mod support;
mod tenancy;
mod trace_context;
mod which_account;
