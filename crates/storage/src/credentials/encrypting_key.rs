//! Which key encrypts: a new key only once every living process can decrypt with it.

use sqlx::PgConnection;

use super::table::Credentials;
use crate::error::StorageError;
use crate::secrets::KeyRing;

impl Credentials {
    /// The id of the key that most living processes have, the first of the ring among equals.
    pub(super) async fn encrypting_key(
        &self,
        connection: &mut PgConnection,
        ring: &KeyRing,
    ) -> Result<String, StorageError> {
        let processes = sqlx::query_scalar!(
            r#"SELECT key_ids AS "key_ids!" FROM instance
               WHERE ended_at IS NULL AND key_ids IS NOT NULL AND heartbeat_at >= now() - make_interval(secs => $1)"#,
            self.dead_after.as_secs_f64(),
        )
        .fetch_all(connection)
        .await?;
        let having = |id: &str| processes.iter().filter(|ids| ids.iter().any(|each| each == id)).count();
        // The last of equal maxima, so that the first key wins in reverse.
        let ids: Vec<_> = ring.ids().collect();
        let best = ids.into_iter().rev().max_by_key(|id| having(id));
        Ok(best.unwrap_or_else(|| ring.encrypts_with()).to_owned())
    }

    /// Fails if a living process lacks the key.
    pub(super) async fn require_everywhere(&self, key_id: &str) -> Result<(), StorageError> {
        let without = sqlx::query!(
            "SELECT id, host FROM instance
             WHERE ended_at IS NULL AND heartbeat_at >= now() - make_interval(secs => $1) AND $2 <> ALL (key_ids)
             ORDER BY id LIMIT 1",
            self.dead_after.as_secs_f64(),
            key_id,
        )
        .fetch_optional(&self.pool)
        .await?;
        match without {
            None => Ok(()),
            Some(process) => Err(StorageError::KeyNotEverywhere {
                key: key_id.to_owned(),
                instance: process.id,
                host: process.host,
            }),
        }
    }
}
