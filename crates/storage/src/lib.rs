//! Floor 1: Postgres. The request log, companies, keys, credentials, the processes; and the migrations that make their
//! tables.
//!
//! The only floor that speaks SQL, and the one that seals tokens. Called by `provider` (the log), `client` (keys and
//! credentials) and `gateway` (start and commands).

mod api_keys;
mod companies;
mod credentials;
mod database;
mod instances;
mod metrics;
mod own_records;
mod request_log;
mod schema;
mod secrets;
mod started_runs;

pub use api_keys::{ApiKeyInfo, ApiKeys, CreateKey, KeyHash, KeyRecord, NewKey};
pub use companies::{Companies, Company};
pub use credentials::{
    Credential, CredentialChange, CredentialId, Credentials, LoadedCredential, NewCredential, RotationReport,
};
pub use database::{Database, DatabaseSettings, StorageError};
pub use instances::Instances;
pub use metrics::StorageMetrics;
pub use request_log::{
    Closing, FixedColumns, LogError, LogFilter, LogPage, LogPosition, LogQueue, LogReadSettings, LogRecord, LogRow,
    LogSlot, LogVisibility, Outcome, OutcomeFilter, PageLimit, Partitions, Percentiles, PgRequestLog, QueueSettings,
    Receipt, RequestLog, RequestLogs, RowLimits, TypeSummary, WriteError,
};
pub use schema::Schema;
pub use secrets::{DecryptError, KeyRing, KeyRingError};
pub use started_runs::{PgStartedRuns, StartedRuns};
