//! The connections for reading: few, read-only and with a statement timeout, so that no search delays a request.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::database::Database;

/// How the log is read.
#[derive(Debug, Clone, Copy)]
pub struct LogReadSettings {
    /// Maximum number of connections, from 1.
    pub connections: u32,
    /// How long a reader waits for a connection.
    pub acquire_timeout: Duration,
    /// Time limit of one statement.
    pub statement_timeout: Duration,
}

/// The table `request_log`, for reading.
#[derive(Debug, Clone)]
pub struct RequestLogs {
    pool: PgPool,
}

impl RequestLogs {
    /// The log of that database. Connections are opened when needed.
    pub fn new(database: &Database, settings: &LogReadSettings) -> Self {
        let options = database.pool().connect_options().as_ref().clone();
        let options = options.application_name("dbt-gateway log reader").options([
            (
                "statement_timeout",
                settings.statement_timeout.as_millis().to_string().as_str(),
            ),
            ("default_transaction_read_only", "on"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            .connect_lazy_with(options);
        Self { pool }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the connections, after waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
