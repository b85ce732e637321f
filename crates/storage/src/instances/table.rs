//! The table `instance`: processes register and end.

use std::sync::Arc;
use std::time::Duration;

use model::InstanceId;

use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;
use crate::secrets::{CurrentKeys, KeyRing};

/// The table `instance`. All times are those of the database's clock.
#[derive(Debug, Clone)]
pub struct Instances {
    pool: BoundedPool,
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

    /// Publishes the ids of the encryption keys with which the process can decrypt: a key that encrypts is one that all
    /// have.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn publish_keys(&self, id: InstanceId, key_ids: &[String]) -> Result<(), StorageError> {
        sqlx::query!("UPDATE instance SET key_ids = $2 WHERE id = $1", id.0, key_ids)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Replaces the encryption keys of the process. It publishes at any moment only keys that it has.
    ///
    /// # Errors
    /// [`StorageError::Query`]: the previous keys stay.
    pub async fn replace_keys(
        &self,
        id: InstanceId,
        keys: &CurrentKeys,
        ring: Arc<KeyRing>,
    ) -> Result<(), StorageError> {
        let new: Vec<_> = ring.ids().map(str::to_owned).collect();
        let kept: Vec<_> = keys.ids().into_iter().filter(|id| new.contains(id)).collect();
        self.publish_keys(id, &kept).await?;
        keys.replace(ring);
        self.publish_keys(id, &new).await
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

    /// Removes processes that ended or fell silent longer than `keep` ago and have no open rows, at most `limit` of them,
    /// and returns their number. One that is alive after all registers again with its next heartbeat.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn remove_old(&self, keep: Duration, limit: u32) -> Result<u64, StorageError> {
        let removed = sqlx::query!(
            "DELETE FROM instance WHERE id IN (
                 SELECT id FROM instance AS old
                 WHERE COALESCE(ended_at, heartbeat_at) < now() - make_interval(secs => $1)
                     AND NOT EXISTS (SELECT FROM request_log WHERE instance_id = old.id AND finished_at IS NULL)
                 ORDER BY id LIMIT $2)",
            keep.as_secs_f64(),
            i64::from(limit),
        )
        .execute(&self.pool)
        .await?;
        Ok(removed.rows_affected())
    }
}
