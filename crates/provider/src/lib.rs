//! Layer 2: one row in the request log around the HTTP exchanges that a request takes, retries of reads, pages gathered
//! from several of dbt's.
//!
//! `operations` has one file or folder a resource; `engine` has what they share. Callers' rights are the gate's (`client`),
//! HTTP is `dbt-api`'s.

mod dbt_provider;
mod engine;
mod error;
mod exchanges;
mod metrics;
mod operations;
mod settings;

pub use dbt_api::{ApiError, WrappedApi};
pub use dbt_provider::DbtProvider;
pub use engine::{AnswerBody, StreamAborted, StreamedAnswer};
pub use error::ProviderError;
pub use metrics::ProviderMetrics;
pub use operations::relay::{ForwardRequest, lists_accounts};
pub use settings::{
    FailureSettings, GraphqlSettings, NewRunSettings, ProviderSettings, RelaySettings, RetrySettings, StreamSettings,
};
pub use storage::{LogError, LogQueue, Outcome, RowLimits, StartedRuns};
