//! A real Postgres for the tests of the other crates: one server per test run, one database per test.
//!
//! The server is the one that `TEST_POSTGRES_URL` names, or else a private one that this process starts at the first
//! use ([`TestServer`]). The program `with-postgres` runs a command with one server for all its processes:
//!
//! ```text
//! cargo run -p testkit --bin with-postgres -- cargo nextest run
//! ```
//!
//! A test asks for a [`TestDatabase`]. The migrations run once per server; each database is a copy of the result.
//! What may not live here: anything about a particular table. Only tests depend on this crate.

mod database;
mod scratch;
mod server;
mod template;

pub use database::TestDatabase;
pub use server::{TEST_POSTGRES_URL, TestServer};
pub use template::fingerprint;
