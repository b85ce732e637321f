//! The gateway as its callers see it: every layer is the real one, from HTTP to Postgres; only dbt Cloud is simulated.
//!
//! The special cases of a layer are tested in that layer's crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![recursion_limit = "256"]

mod account_selection;
mod accounts;
mod api_keys;
mod artifacts;
mod auth;
mod budget;
mod connections;
mod cors;
mod credentials;
mod dbt_refusals;
mod environment_variables;
mod environments;
mod explorer;
mod faults;
mod gathered_lists;
mod graphql;
mod graphql_effects;
mod health;
mod http2;
mod jobs;
mod large_list;
mod limits;
mod metrics;
mod openapi;
mod paging;
mod problems;
mod projects;
mod public_url;
mod relay;
mod request_logs;
mod roles;

mod rows;
mod runs;
mod secrets;
mod sent_once;
mod shared_reads;
mod silence;
mod slow_bodies;
mod slow_or_failing_dbt;
mod support;
mod tenancy;
mod trace_context;
mod triggers;
mod unstorable_text;
mod waiting;
mod whole_lists;
