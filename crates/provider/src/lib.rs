//! Floor 2: every request in its bracket. A row in the request log around the exchanges it takes, with the retry of
//! reads and the gathering of pages.
//!
//! Knows nothing of callers' rights (the gate in `client` has admitted the request) and nothing of HTTP (`dbt-api`).

mod accounts;
mod bracket;
mod call;
mod credentials;
mod dbt_provider;
mod error;
mod exchanges;
mod gather;
mod jobs;
mod outcome;
mod projects;
mod request;
mod runs;

pub use dbt_api::{ApiError, WrappedApi};
pub use dbt_provider::{DbtProvider, ProviderSettings, RetrySettings};
pub use error::ProviderError;
pub use storage::{LogError, LogQueue, Outcome, RowLimits};
