//! Floor 1: Postgres. The request log, the keys, the processes; and the migrations that make their tables.
//!
//! The only floor that speaks SQL. Called by `provider` (the log), `client` (keys) and `gateway` (start and commands).

mod api_keys;
mod database;
mod instances;
mod request_log;

pub use api_keys::{ApiKeys, KeyHash, KeyOrder, KeyRecord, NewKey};
pub use database::{Database, DatabaseSettings, StorageError};
pub use instances::Instances;
pub use request_log::{
    Closing, FixedPart, LogError, LogQueue, LogRow, LogSlot, Outcome, PgRequestLog, QueueSettings, Receipt, RequestLog,
    RowLimits, WriteError,
};
