//! The gateway processes: their heartbeats, and closing the open rows of dead ones as `abandoned`.

use std::time::Duration;

use model::InstanceId;
use sqlx::PgPool;

use crate::database::Database;
use crate::error::StorageError;

/// The table `instance`. All times are those of the database's clock.
#[derive(Debug, Clone)]
pub struct Instances {
    pool: PgPool,
}

impl Instances {
    /// The instances of that database.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
        }
    }

    /// Registers this process.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn register(&self, host: &str, version: &str) -> Result<InstanceId, StorageError> {
        let row = sqlx::query!(
            "INSERT INTO instance (host, version) VALUES ($1, $2) RETURNING id",
            host,
            version
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(InstanceId(row.id))
    }

    /// Records that the process is alive.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn heartbeat(&self, id: InstanceId) -> Result<(), StorageError> {
        sqlx::query!("UPDATE instance SET heartbeat_at = now() WHERE id = $1", id.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Records that the process ended normally.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn end(&self, id: InstanceId) -> Result<(), StorageError> {
        sqlx::query!("UPDATE instance SET ended_at = now() WHERE id = $1", id.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends every instance except `id`: for the process that holds the lock of the private Postgres.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn end_all_except(&self, id: InstanceId) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE instance SET ended_at = now() WHERE ended_at IS NULL AND id <> $1",
            id.0
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Closes the open rows of instances that ended or had no heartbeat for `dead_after`, and returns their number. Their
    /// outcome `abandoned` means unknown; if the process still closes the row later, that overwrites it.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn close_abandoned(&self, dead_after: Duration) -> Result<u64, StorageError> {
        let done = sqlx::query!(
            "UPDATE request_log SET finished_at = now(), outcome = 'abandoned'
             WHERE finished_at IS NULL AND instance_id IN (
                 SELECT id FROM instance
                 WHERE ended_at IS NOT NULL OR heartbeat_at < now() - make_interval(secs => $1))",
            dead_after.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
