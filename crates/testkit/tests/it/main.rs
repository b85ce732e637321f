//! The kit for tests, tested against a real server: the one of the test run, and servers of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod database;
mod own_server;
mod with_postgres;
