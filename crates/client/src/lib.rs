//! Layer 3: `DbtClient`, which the handlers call. Authenticates callers, admits requests, delegates to the provider.
//!
//! The only layer that checks permissions. It handles no HTTP.

mod access_url;
mod accounts;
mod api_keys;
mod artifacts;
mod background;
mod budget;
mod clients;
mod connections;
mod credentials;
mod dbt_client;
mod environment_variables;
mod environments;
mod error;
mod gate;
mod graphql;
mod health;
mod jobs;
mod key_cache;
mod listening;
mod look_ups;
mod metrics;
mod operations;
mod own_changes;
mod progress;
mod projects;
mod relay;
mod request_logs;
mod runs;
mod settings;
mod shared;
mod shares;
mod starts;
mod trigger_resolver;
mod upstreams;
mod watching;

use operations::operations;

pub use access_url::AccessRules;
pub use api_keys::{ApiKeyService, CreateApiKey};
pub use budget::AccountBudget;
pub use clients::{ClientParts, Clients};
pub use credentials::{CreateCredential, CredentialInfo, CredentialService, UpdateCredential, Verification};
pub use dbt_client::DbtClient;
pub use error::ClientError;
pub use health::{Check, DiskCheck, HealthSignals, PartitionsAhead};
pub use key_cache::{KeySource, KeySourceError};
pub use listening::{EventListener, EventsPage, Followed, LiveEvent, NextEvents, OnEnd, WaitOptions, WaitedRun};
pub use provider::{
    AnswerBody, ApiError, BudgetReading, BudgetReport, BudgetShares, Exhausted, ForwardRequest, Listing, LogError,
    OpenCircuit, PriorityClass, ProviderError, StreamAborted, StreamedAnswer, StreamedPage, TriggerUnresolved,
};
pub use request_logs::{LogSummary, RequestLogService};
pub use settings::ClientSettings;
pub use shared::Records;
pub use shares::ClientShares;
pub use starts::StartedAndWaited;
pub use storage::{
    ApiKeyInfo, Credential, EventFilter, EventKind, LogFilter, LogPage, LogPosition, LogRecord, NewKey, OutcomeFilter,
    Percentiles, RequestLogs, Resolution, RunEvent, TriggerLedger, TypeSummary,
};
pub use upstreams::{CredentialSource, LoadResult, Upstreams};
pub use watching::WatchSettings;
