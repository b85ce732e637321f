//! `storage` against a real Postgres: what the tables take, and that no row is lost, doubled or overwritten.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_keys;
mod away;
mod cleaning;
mod constraints;
mod database;
mod groups;
mod instances;
mod partitions;
mod poisoned;
mod stopping;
mod support;
mod vocabulary;
mod writing;
