//! Settings: `config/default.toml`, then a file, then the environment. The only module that reads the environment.
//!
//! A new setting is one line in `fields.rs`, one entry in `config/default.toml`, and its use.

mod check;
mod error;
mod field;
mod fields;
mod layers;
mod load;
mod parsed;
mod show;
#[cfg(test)]
mod tests;

pub(crate) use fields::*;
pub(crate) use load::default_data_dir;
pub(crate) use parsed::{LogFormat, Optional, Origin, header_list, set};
pub(crate) use show::show;
