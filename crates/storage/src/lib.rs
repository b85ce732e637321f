//! Layer 1: Postgres. Stores the request log, companies, API keys, credentials and gateway processes.
//!
//! The only layer that contains SQL, and the one that encrypts tokens. Called by `provider` (the log), `client` (keys,
//! credentials, reading the log) and `gateway` (start and commands).

mod api_keys;
mod audited_change;
mod bounded_pool;
mod budget;
mod companies;
mod credentials;
mod database;
mod display_name;
mod error;
mod gauges;
mod idempotency_keys;
mod instances;
mod last_success;
mod metrics;
mod migrations;
mod outcome;
mod own_connection;
mod pooler;
mod request_log;
mod run_events;
mod run_watches;
mod secrets;
mod session;
mod started_runs;
mod triggers;

pub use api_keys::{ApiKeyInfo, ApiKeys, CreateKey, KeyHash, KeyRecord, NewKey, Revocation};
pub use audited_change::write_row;
pub use budget::{
    BudgetKey, BudgetLimits, BudgetReading, BudgetState, BudgetUse, LEASE, MemoryRateLedger, PerClass, PgRateLedger,
    PriorityClass, RateLedger, Slice,
};
pub use companies::{Companies, Company, Suspension};
pub use credentials::{
    Credential, CredentialChange, CredentialId, Credentials, LoadedCredential, NewCredential, RotationReport,
    UnreadableCredential,
};
pub use database::{Database, DatabaseSettings, MigrationSettings};
pub use error::{PoolerError, StorageError};
pub use idempotency_keys::{Earlier, NewIdempotencyKey, StoredAnswer};
pub use instances::{AbandonedSweep, Heartbeat, Instances};
pub use last_success::LastSuccess;
pub use metrics::StorageMetrics;
pub use migrations::Schema;
pub use outcome::Outcome;
pub use request_log::{
    Closing, Dropped, FixedColumns, LogError, LogFilter, LogPage, LogPosition, LogQueue, LogReadSettings, LogRecord,
    LogRow, LogSlot, LogVisibility, OutcomeFilter, PageLimit, Partitions, Percentiles, PgRequestLog, QueueSettings,
    Receipt, RequestLog, RequestLogs, RowLimits, TypeSummary, WriteError,
};
pub use run_events::{
    EventFilter, EventKind, EventPage, ListenedStream, NewRunEvent, RunEvent, RunEvents, StreamKey, StreamPosition,
};
pub use run_watches::{
    CancelReason, Claim, Interest, NewWait, RunKey, RunToCancel, RunWatches, Seen, WatchGroup, WatchLease, WatchState,
    WatchedRun,
};
pub use secrets::{CurrentKeys, DecryptError, KeyRing, KeyRingError};
pub use started_runs::{PgStartedRuns, StartedRuns};
pub use triggers::{
    Attempt, AttemptEnd, AttemptLease, Begun, KeyBegun, MemoryTriggerLedger, NewAttempt, PgTriggerLedger,
    RecentAttempt, Resolution, StartKind, TriggerLedger, Watermark,
};
