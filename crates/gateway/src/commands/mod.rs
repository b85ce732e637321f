//! The commands of the binary, one module each.

pub(crate) mod companies;
pub(crate) mod config;
pub(crate) mod healthcheck;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod simulator;

use storage::{Database, LogRow, write_row};

/// Writes the row of a change that was committed alone. The change stands without it.
async fn write_row_or_warn(database: &Database, row: &LogRow) {
    if let Err(error) = write_row(database, row).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "it is done, but its row of the request log was not written"
        );
    }
}
