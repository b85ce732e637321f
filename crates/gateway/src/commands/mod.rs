//! The commands of the binary, one module each.

pub(crate) mod companies;
pub(crate) mod config;
pub(crate) mod healthcheck;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod simulator;
