//! The operations, one file or folder per resource.

mod accounts;
mod artifacts;
mod budget;
mod connections;
mod credentials;
mod environment_variables;
mod environments;
mod graphql;
mod jobs;
mod projects;
pub(crate) mod relay;
mod runs;

pub use runs::{Look, Looked, ReadFirst, RunToLookAt};
