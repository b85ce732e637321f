//! Tests of a running simulator, by HTTP and by its handle.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod artifacts;
mod auth;
mod contract;
mod control;
mod faults;
mod graphql;
mod http2;
mod lists;
mod manual;
mod resources;
mod retries;
mod runs;
mod support;
mod webhooks;
