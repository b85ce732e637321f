//! The database of the process: its connection pool, and connections outside it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use tokio::time::timeout;

use crate::bounded_pool::{BoundedPool, PoolLimits};
use crate::error::StorageError;
use crate::metrics::StorageMetrics;
use crate::session::{SERVER_MARGIN, Session};

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`; holds a password.
    pub url: SecretString,
    /// Maximum number of connections, from 1.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
    /// The deadline of a statement, and of a transaction as a whole.
    pub statement_timeout: Duration,
}

/// Postgres: one pool per process.
#[derive(Debug, Clone)]
pub struct Database {
    pool: BoundedPool,
    /// Without settings of a session.
    options: PgConnectOptions,
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
        let session = Session::new("dbt-gateway", settings.statement_timeout + SERVER_MARGIN);
        let limits = PoolLimits {
            max_connections: settings.max_connections,
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout,
        };
        Ok(Self {
            pool: BoundedPool::new(session.options(&options), limits),
            options,
            connect_timeout: settings.acquire_timeout,
            metrics: Arc::default(),
        })
    }

    /// The same database, with its changes counted in `metrics`.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<StorageMetrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Closes all connections, after waiting a moment for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection outside the pool without limits for its statements: for the migrations. Its errors say why it could
    /// not be opened; those of the pool do not.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.open(&self.options.clone().application_name("dbt-gateway")).await
    }

    /// A connection outside the pool.
    pub(crate) async fn connect_as(&self, session: &Session) -> Result<PgConnection, sqlx::Error> {
        self.open(&session.options(&self.options)).await
    }

    async fn open(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let connecting = timeout(self.connect_timeout, options.connect());
        connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// The options of connections in other pools, without settings of a session.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    pub(crate) fn pool(&self) -> &BoundedPool {
        &self.pool
    }

    pub(crate) fn metrics(&self) -> &Arc<StorageMetrics> {
        &self.metrics
    }
}

/// For tests, which bring their own pool.
impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Self {
        Self {
            options: pool.connect_options().as_ref().clone(),
            connect_timeout: pool.options().get_acquire_timeout(),
            pool: pool.into(),
            metrics: Arc::default(),
        }
    }
}
