//! The request log: its rows, the queue and the writer, the partitions, and reading it.

mod insert;
mod partitions;
mod postgres;
mod queue;
mod reading;
mod receipt;
mod row;
mod sanitised;
mod sink;
mod write_state;
mod writer;

pub(crate) use insert::insert_rows;
pub(crate) use partitions::ensure_partition;
pub use partitions::{Dropped, Partitions};
pub use postgres::PgRequestLog;
pub use queue::{LogQueue, LogSlot};
pub use reading::{
    LogFilter, LogPage, LogPosition, LogReadSettings, LogRecord, LogVisibility, OutcomeFilter, PageLimit, Percentiles,
    RequestLogs, TypeSummary,
};
pub use receipt::{LogError, Receipt};
pub use row::{Closing, FixedColumns, LogRow};
pub use sanitised::RowLimits;
pub(crate) use sanitised::SanitisedText;
pub use sink::{RequestLog, WriteError};
pub use writer::QueueSettings;
