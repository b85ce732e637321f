//! The processes that write the log: they beat, and the open rows of those that stopped are closed as `abandoned`.

use std::time::Duration;

use model::InstanceId;
use sqlx::PgPool;

use crate::{Database, StorageError};

/// The table `instance`, and what follows from it for open rows. All times are the database's.
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

    /// Says that this process is alive.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn beat(&self, id: InstanceId) -> Result<(), StorageError> {
        sqlx::query!("UPDATE instance SET heartbeat_at = now() WHERE id = $1", id.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Says that this process has ended well.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn end(&self, id: InstanceId) -> Result<(), StorageError> {
        sqlx::query!("UPDATE instance SET ended_at = now() WHERE id = $1", id.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends every instance but `id`: for a process that knows it is alone, by the lock on the private Postgres.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn end_all_but(&self, id: InstanceId) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE instance SET ended_at = now() WHERE ended_at IS NULL AND id <> $1",
            id.0
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Closes as `abandoned` the open rows of instances that have ended or been silent for `dead_after`, and returns
    /// how many. `abandoned` means that the outcome is unknown; the true owner's late close overwrites it.
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
