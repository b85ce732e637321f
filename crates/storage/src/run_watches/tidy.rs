//! Removes what is no longer needed, in bounded batches.

use std::time::Duration;

use super::watch::RunWatches;
use crate::error::StorageError;

/// Rows that one statement removes.
const BATCH: i64 = 1000;

impl RunWatches {
    /// Removes one batch each of watches that ended that long ago, and of waits whose deadline passed an hour ago. Returns
    /// the number of rows; a full batch means that there may be more.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn remove_expired(&self, keep: Duration) -> Result<u64, StorageError> {
        let watches = sqlx::query!(
            "DELETE FROM run_watch WHERE id IN (
                 SELECT id FROM run_watch WHERE ended_at <= clock_timestamp() - make_interval(secs => $2)
                 ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
            BATCH,
            keep.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        let waits = sqlx::query!(
            "DELETE FROM run_wait WHERE request_uuid IN (
                 SELECT request_uuid FROM run_wait WHERE deadline <= clock_timestamp() - interval '1 hour'
                 ORDER BY deadline LIMIT $1 FOR UPDATE SKIP LOCKED)",
            BATCH,
        )
        .execute(&self.pool)
        .await?;
        Ok(watches.rows_affected() + waits.rows_affected())
    }
}
