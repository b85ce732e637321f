//! The private Postgres against the real programs: as whoever runs the tests, and, when that is root, once more as an
//! ordinary user (`ordinary_user`). Needs PostgreSQL installed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attach;
mod crash;
mod ordinary_user;
mod refusals;
mod start;
mod support;
