//! The daily partitions of the events.

use std::time::Duration;

use super::reader::RunEvents;
use crate::bounded_pool::BoundedPool;
use crate::error::StorageError;

impl RunEvents {
    /// Creates the missing partitions of today and the two days after it, by the database's clock.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn make_partitions(&self) -> Result<(), StorageError> {
        Ok(make_ahead(&self.pool).await?)
    }

    /// Drops a partition whose events are all older than `kept`, at least an hour. Returns its name, if there was one.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn drop_expired(&self, kept: Duration) -> Result<Option<String>, StorageError> {
        let dropped = sqlx::query_scalar!(
            "SELECT run_event_drop_expired(make_interval(secs => $1))",
            kept.as_secs_f64()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(dropped)
    }
}

/// Creates the missing partitions of today and the two days after it.
pub(crate) async fn make_ahead(pool: &BoundedPool) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT run_event_ensure_partition((clock_timestamp() AT TIME ZONE 'UTC')::date + ahead)
             FROM generate_series(0, 2) ahead"
    )
    .fetch_all(pool)
    .await?;
    Ok(())
}
