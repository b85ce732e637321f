//! The destination of the writer's groups of rows.

use std::time::Duration;

use async_trait::async_trait;

use super::row::LogRow;

/// Stores groups of rows. [`super::PgRequestLog`] stores them in Postgres.
#[async_trait]
pub trait RequestLog: Send + Sync {
    /// Writes all rows, whose UUIDs differ, with one commit, or none of them. Writing a row again is safe.
    ///
    /// # Errors
    /// [`WriteError`].
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError>;
}

/// Why a group was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database is unavailable or accepts no rows now: the same group may succeed later.
    #[error("the request log cannot be written now")]
    Unavailable(#[source] sqlx::Error),
    /// The database did not answer in time; the rows may or may not be written.
    #[error("the database did not answer within {0:?}")]
    TooSlow(Duration),
    /// The database refuses at least one of these rows.
    #[error("a row was refused by the database")]
    Rejected(#[source] sqlx::Error),
}

impl WriteError {
    /// The label of the metric.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::TooSlow(_) => "too_slow",
            Self::Rejected(_) => "rejected",
        }
    }
}
