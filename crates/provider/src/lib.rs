//! Floor 2: every request in its bracket. A row in the request log around the exchanges it takes, with the retry of
//! reads and the gathering of pages.
//!
//! Knows nothing of callers' rights (the gate in `client` has admitted the request) and nothing of HTTP (`dbt-api`).

mod accounts;
mod artifacts;
mod bracket;
mod call;
mod cancel;
mod carrying;
mod credentials;
mod dbt_command;
mod dbt_provider;
mod environments;
mod error;
mod exchanges;
mod gather;
mod graphql;
mod job_definition;
mod jobs;
mod just_started;
mod metrics;
mod outcome;
mod projects;
mod pump;
mod relay;
mod request;
mod retries;
mod run_failure;
mod runs;
mod step;
mod streamed;

pub use dbt_api::{ApiError, WrappedApi};
pub use dbt_provider::{DbtProvider, ProviderSettings, RetrySettings, StreamSettings};
pub use error::ProviderError;
pub use graphql::GraphqlSettings;
pub use just_started::NewRunSettings;
pub use metrics::ProviderMetrics;
pub use pump::StreamAborted;
pub use relay::{ForwardRequest, RelaySettings, lists_accounts};
pub use run_failure::FailureSettings;
pub use storage::{LogError, LogQueue, Outcome, RowLimits, StartedRuns};
pub use streamed::{AnswerBody, StreamedAnswer};
