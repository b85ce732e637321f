//! The connections for reading: few, read-only and with a statement timeout, so that no search delays a request.

use std::time::Duration;

use crate::bounded_pool::{BoundedPool, PoolLimits};
use crate::database::Database;
use crate::session::{SERVER_MARGIN, Session};

/// How the log is read.
#[derive(Debug, Clone, Copy)]
pub struct LogReadSettings {
    /// Maximum number of connections, from 1.
    pub connections: u32,
    /// How long a reader waits for a connection.
    pub acquire_timeout: Duration,
    /// Time limit of one statement at the server: past it the search is too slow. The process waits a little longer, so
    /// that a silent server is told from a slow search.
    pub statement_timeout: Duration,
}

/// The table `request_log`, for reading.
#[derive(Debug, Clone)]
pub struct RequestLogs {
    pool: BoundedPool,
}

impl RequestLogs {
    /// The log of that database. Connections are opened when needed.
    pub fn new(database: &Database, settings: &LogReadSettings) -> Self {
        let session = Session {
            is_read_only: true,
            ..Session::new("dbt-gateway log reader", settings.statement_timeout)
        };
        let limits = PoolLimits {
            max_connections: settings.connections,
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout + SERVER_MARGIN,
        };
        let pool = database.another_pool(&session, limits);
        Self { pool }
    }

    pub(crate) fn pool(&self) -> &BoundedPool {
        &self.pool
    }

    /// Closes the connections, after waiting a moment for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
