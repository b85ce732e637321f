//! Floor 3: `DbtClient`, what the handlers talk to. Authenticates callers, admits requests, delegates to the provider.
//!
//! The only floor that decides who may do what. No HTTP here, neither that of callers nor dbt Cloud's.

mod clients;
mod dbt_client;
mod error;
mod gate;
mod jobs;
mod keys;
mod projects;
mod runs;
mod upstreams;

pub use clients::{ClientSettings, Clients};
pub use dbt_client::DbtClient;
pub use error::ClientError;
pub use keys::{KeySource, KeySourceError};
pub use provider::{ApiError, LogError, ProviderError};
pub use upstreams::Upstreams;
