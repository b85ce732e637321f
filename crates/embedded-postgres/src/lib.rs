//! A private Postgres server, run from the binaries installed on this machine: one directory, one Unix socket, no TCP port.
//!
//! A service calls [`PrivatePostgres::start`]; a command that may run beside the service calls
//! [`PrivatePostgres::attach_or_start`]. This crate contains no SQL and no client library, and reads no settings: the
//! caller passes [`Options`].
//!
//! **Every function blocks** (a first start takes most of a second): call it before the async runtime starts, or inside
//! `spawn_blocking`.
//!
//! Guarantees:
//! - If the process runs as root, the server runs as `postgres`, or as `nobody` if that user does not exist. Otherwise
//!   both run as the same user.
//! - Committed data survives `stop`, `std::process::exit`, and `kill -9` of the process, of the server, of both, or during
//!   the first start. With [`Options::durable`] (the default) it also survives a power failure.
//! - A server that dies is restarted at the same address. So is one whose programs were replaced by a package upgrade, once
//!   the new ones have settled.
//! - The server outlives the process at most by a clean shutdown (Linux; on other systems the next start stops it).
//!
//! Requires PostgreSQL 13 or later: `initdb`, `postgres`, `pg_isready` and `createdb`.

mod binaries;
mod cluster;
mod directory;
mod error;
mod installed;
mod options;
mod private_postgres;
mod server;
mod server_log;
mod socket;
mod stale_server;
mod supervisor;
mod user;

pub use error::Error;
pub use options::Options;
pub use private_postgres::PrivatePostgres;
