//! A private Postgres, run from the binaries installed on this machine: one directory, one Unix socket, no TCP port.
//!
//! [`PrivatePostgres::start`] is for the process that serves, [`PrivatePostgres::attach_or_start`] for a command that
//! may find such a process already at work. What lives here: the directory and its lock, finding the binaries, the
//! server process and the thread that brings it back when it dies. What may not: SQL of any table, a client library, an
//! environment variable that is a setting (the caller reads those and passes [`Options`]).
//!
//! **Everything here blocks** (a first start takes the better part of a second): call it before the async runtime
//! starts, or inside `spawn_blocking`.
//!
//! What it promises:
//! - Run as root, the server runs as `postgres`, or `nobody` where there is no such user; run by anybody else, as them.
//! - The data is there at the next start, whatever ended the last one: `stop`, `std::process::exit`, `kill -9` of us, of
//!   the server, of both, or of a first start half-way. With [`Options::durable`] (the default) a power cut as well.
//! - A server that dies while we live is started again, and the address stays the same.
//! - A server never outlives its process by more than a clean shutdown (Linux; elsewhere the next start ends it).
//!
//! Installed PostgreSQL 13 or later is needed: `initdb`, `postgres`, `pg_isready` and `createdb`.

mod binaries;
mod cluster;
mod directory;
mod error;
mod keeper;
mod options;
mod predecessor;
mod private_postgres;
mod server;
mod server_log;
mod socket;
mod user;

pub use error::Error;
pub use options::Options;
pub use private_postgres::PrivatePostgres;
