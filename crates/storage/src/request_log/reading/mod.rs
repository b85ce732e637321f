//! Reading the request log: pages, single rows and summaries, limited to one company and to what its caller may see.

mod filter;
mod pages;
mod reader;
mod record;
mod summary;

pub use filter::{LogFilter, LogPosition, LogVisibility, OutcomeFilter};
pub use pages::{LogPage, PageLimit};
pub use reader::{LogReadSettings, RequestLogs};
pub use record::LogRecord;
pub use summary::{Percentiles, TypeSummary};
