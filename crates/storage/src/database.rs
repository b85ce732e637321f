//! The connection pool.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection, PgPool};

use crate::error::StorageError;
use crate::metrics::StorageMetrics;

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`; holds a password.
    pub url: SecretString,
    /// Maximum number of connections, from 1.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
}

/// Postgres: one pool per process.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    connect_timeout: Duration,
    metrics: Arc<StorageMetrics>,
}

impl Database {
    /// Prepares the pool. Connections are opened when needed, so this succeeds while Postgres is unavailable.
    ///
    /// # Errors
    /// [`StorageError::Address`].
    pub fn new(settings: &DatabaseSettings) -> Result<Self, StorageError> {
        let options: PgConnectOptions = settings.url.expose_secret().parse().map_err(StorageError::Address)?;
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .connect_lazy_with(options.application_name("dbt-gateway"));
        Ok(Self {
            pool,
            connect_timeout: settings.acquire_timeout,
            metrics: Arc::default(),
        })
    }

    /// The same database, with its changes counted in `metrics`.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<StorageMetrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Closes all connections, after waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection outside the pool, whose errors say why it could not be opened; those of the pool do not.
    pub(crate) async fn connect(&self) -> Result<PgConnection, StorageError> {
        let options = self.pool.connect_options();
        let connecting = tokio::time::timeout(self.connect_timeout, options.connect());
        Ok(connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)??)
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn metrics(&self) -> &Arc<StorageMetrics> {
        &self.metrics
    }
}

/// For tests, which bring their own pool.
impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Self {
        let connect_timeout = pool.options().get_acquire_timeout();
        Self {
            pool,
            connect_timeout,
            metrics: Arc::default(),
        }
    }
}
