//! Removes what is no longer needed, in bounded batches.

use std::time::Duration;

use super::postgres::PgTriggerLedger;
use crate::error::StorageError;

/// Rows that one statement removes.
const BATCH: i64 = 1000;

impl PgTriggerLedger {
    /// Removes one batch each of expired keys, of attempts that ended that long ago, and of locks nobody holds. Returns the
    /// number of rows; a full batch means that there may be more.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn remove_expired(&self, keep_attempts: Duration) -> Result<u64, StorageError> {
        let keys = sqlx::query!(
            "DELETE FROM idempotency_key WHERE (api_key_id, key) IN (
                 SELECT api_key_id, key FROM idempotency_key WHERE expires_at <= clock_timestamp()
                 ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
            BATCH,
        )
        .execute(&self.pool)
        .await?;
        let attempts = sqlx::query!(
            "DELETE FROM trigger_attempt WHERE id IN (
                 SELECT id FROM trigger_attempt a
                 WHERE ended_at <= clock_timestamp() - make_interval(secs => $2)
                     AND NOT EXISTS (SELECT 1 FROM idempotency_key k WHERE k.request_uuid = a.request_uuid)
                 ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
            BATCH,
            keep_attempts.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        let locks = sqlx::query!(
            "DELETE FROM job_lock WHERE (host, account_id, job_id) IN (
                 SELECT host, account_id, job_id FROM job_lock
                 WHERE lease_until <= clock_timestamp() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED)",
            BATCH,
        )
        .execute(&self.pool)
        .await?;
        Ok(keys.rows_affected() + attempts.rows_affected() + locks.rows_affected())
    }
}
