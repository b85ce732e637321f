//! The request log: what a row is, how it is cleaned, queued, and written in groups; and how it is read.

mod clean;
mod insert;
mod partitions;
mod pg;
mod queue;
mod reading;
mod row;
mod writer;

pub(crate) use clean::CleanText;
pub use clean::RowLimits;
pub(crate) use insert::{ensure_partition, insert_rows};
pub use partitions::Partitions;
pub use pg::PgRequestLog;
pub use queue::{LogError, LogQueue, LogSlot, QueueSettings, Receipt};
pub use reading::{
    LogFilter, LogPage, LogPosition, LogReadSettings, LogRecord, LogVisibility, OutcomeFilter, PageLimit, Percentiles,
    RequestLogs, TypeSummary,
};
pub use row::{Closing, FixedColumns, LogRow, Outcome};
pub use writer::{RequestLog, WriteError};
