//! The heartbeat of this process, on a connection of its own: it waits for no other statement of the process.

use std::time::Duration;

use model::InstanceId;
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::database::Database;
use crate::error::StorageError;
use crate::session::{SERVER_MARGIN, Session};

/// Beats for one process.
#[derive(Debug)]
pub struct Heartbeat {
    database: Database,
    session: Session,
    id: InstanceId,
    limit: Duration,
    /// `None` before the first beat and after a failed one.
    connection: Option<PgConnection>,
}

impl Heartbeat {
    /// `limit` is the deadline of a beat; it should be shorter than the pause between two.
    pub fn new(database: &Database, id: InstanceId, limit: Duration) -> Self {
        Self {
            database: database.clone(),
            session: Session::new("dbt-gateway heartbeat", limit + SERVER_MARGIN),
            id,
            limit,
            connection: None,
        }
    }

    /// Records that the process is alive. After an error the next beat uses a new connection.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn beat(&mut self) -> Result<(), StorageError> {
        // Dropped by an error and by the deadline.
        let connection = self.connection.take();
        let beat = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => self.database.connect_as(&self.session).await?,
            };
            sqlx::query!("UPDATE instance SET heartbeat_at = now() WHERE id = $1", self.id.0)
                .execute(&mut connection)
                .await?;
            Ok::<_, StorageError>(connection)
        };
        let done = timeout(self.limit, beat).await;
        self.connection = Some(done.unwrap_or(Err(StorageError::TimedOut(self.limit)))?);
        Ok(())
    }
}
