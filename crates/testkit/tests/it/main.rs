//! Tests with a real server: the one of the test run, and private ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod database;
mod own_server;
mod proxy;
mod with_postgres;
