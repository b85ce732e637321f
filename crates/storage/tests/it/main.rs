//! `storage` against a real Postgres: what the tables take, and that no row is lost, doubled or overwritten.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_keys;
mod away;
mod cleaning;
mod companies;
mod constraints;
mod credentials;
mod database;
mod groups;
mod instances;
mod keeping;
mod key_management;
mod metrics;
mod partitions;
mod poisoned;
mod reading;
mod started_runs;
mod stopping;
mod support;
mod tenancy;
mod vocabulary;
mod writing;
