//! The heartbeat of this process, on a connection of its own: it waits for no other statement of the process.

use std::time::Duration;

use model::InstanceId;
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::database::Database;
use crate::error::StorageError;
use crate::own_connection::OwnConnection;
use crate::session::{SERVER_MARGIN, Session};

/// Beats for one process.
#[derive(Debug)]
pub struct Heartbeat {
    database: Database,
    session: Session,
    id: InstanceId,
    /// Registered again with these if its row was removed while it could not beat.
    host: String,
    version: String,
    limit: Duration,
    /// `None` before the first beat and after a failed one.
    connection: Option<OwnConnection>,
}

impl Heartbeat {
    /// `limit` is the deadline of a beat; it should be shorter than the pause between two.
    pub fn new(database: &Database, id: InstanceId, limit: Duration) -> Self {
        Self {
            database: database.clone(),
            session: Session::new("dbt-gateway heartbeat", limit + SERVER_MARGIN),
            id,
            host: String::new(),
            version: String::new(),
            limit,
            connection: None,
        }
    }

    /// The host and the version with which the process was registered.
    #[must_use]
    pub fn of_process(self, host: &str, version: &str) -> Self {
        Self {
            host: host.to_owned(),
            version: version.to_owned(),
            ..self
        }
    }

    /// Records that the process is alive. After an error the next beat uses a new connection, and so does the pool: its
    /// idle ones lead to the same server.
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
            let beaten = self.write(connection.begin().await?).await;
            connection.end(beaten).await?;
            Ok::<_, StorageError>(connection)
        };
        let done = timeout(self.limit, beat).await;
        let done = done.unwrap_or(Err(StorageError::TimedOut(self.limit)));
        if done.is_err() {
            self.database.distrust_idle_connections();
        }
        self.connection = Some(done?);
        Ok(())
    }

    async fn write(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let updated = sqlx::query!("UPDATE instance SET heartbeat_at = now() WHERE id = $1", self.id.0)
            .execute(&mut *connection)
            .await?;
        if updated.rows_affected() == 0 {
            tracing::warn!(instance.id = %self.id, "this process was removed as dead; it registers again");
            sqlx::query!(
                "INSERT INTO instance (id, host, version) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)",
                self.id.0,
                self.host,
                self.version
            )
            .execute(connection)
            .await?;
        }
        Ok(())
    }
}
