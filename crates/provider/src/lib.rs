//! Layer 2: writes one row of the request log for each request, retries reads, and gathers pages from several of dbt's.
//!
//! `operations` has one file or folder per resource, `engine` what they share. Permissions are checked in `client`; HTTP is
//! in `dbt-api`.

mod budget;
mod dbt_provider;
mod engine;
mod error;
mod exchanges;
mod metrics;
mod operations;
mod reads;
mod settings;
mod shares;
mod upstream_health;

pub use ::shares::Exhausted;
pub use budget::{BudgetMetrics, BudgetReport, BudgetSettings, BudgetShares, Paid, RateBudget};
pub use dbt_api::{ApiError, Shortage, WrappedApi};
pub use dbt_provider::DbtProvider;
pub use engine::{AnswerBody, LastingRequest, Listing, StreamAborted, StreamedAnswer, StreamedPage, first_answer_to};
pub use error::{ProviderError, TriggerUnresolved};
pub use metrics::{ProviderMetrics, observe_shares};
pub use operations::relay::{ForwardRequest, lists_accounts};
pub use operations::{Look, Looked, ReadFirst, RunToLookAt};
pub use settings::{
    BreakerSettings, CacheSettings, FailureSettings, GatherSettings, GraphqlSettings, NewRunSettings, ProviderSettings,
    RelaySettings, RetrySettings, StreamSettings, TriggerSettings,
};
pub use shares::{ProviderShares, ShareSettings};
pub use storage::{
    Attempt, BudgetReading, LogError, LogQueue, Outcome, PriorityClass, RowLimits, StartedRuns, StorageError,
    TriggerLedger,
};
pub use upstream_health::{CircuitState, NotClosed, OpenCircuit};
