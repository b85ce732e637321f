//! A real Postgres for tests: one server per test run, one database per test.
//!
//! The server is the one of `TEST_POSTGRES_URL`, or a private one that this process starts at first use ([`TestServer`]).
//! The program `with-postgres` shares one server between all processes of a command:
//!
//! ```text
//! cargo run -p testkit --bin with-postgres -- cargo nextest run
//! ```
//!
//! Each test creates a [`TestDatabase`]. The migrations run once per server; each database is a copy of the result. This
//! crate contains no code for particular tables, and only tests depend on it.

mod database;
mod messages;
mod pooler;
mod proxy;
mod replicated;
mod scratch;
mod server;
mod target;
mod template;

pub use database::TestDatabase;
pub use pooler::{Statements, TransactionPooler};
pub use proxy::{Flow, SwitchableProxy};
pub use replicated::ReplicatedServers;
pub use server::{TEST_POSTGRES_URL, TestServer};
pub use template::fingerprint;
