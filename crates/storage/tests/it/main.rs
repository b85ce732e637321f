//! Tests of `storage` with a real Postgres: constraints, and that no row is lost, duplicated or overwritten.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_key_management;
mod api_keys;
mod budget;
mod companies;
mod constraints;
mod credentials;
mod database;
mod enumerations;
mod failover;
mod group_commits;
mod instances;
mod metrics;
mod migration_locks;
mod migrations;
mod outages;
mod partitions;
mod pgbouncer;
mod pooler;
mod reading;
mod rejected_rows;
mod retention;
mod run_watches;
mod runtime_role;
mod sanitising;
mod shutdown;
mod silence;
mod started_runs;
mod support;
mod tenancy;
mod writing;
