//! The database of the process: its connection pool, and connections outside it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use tokio::time::timeout;

use crate::bounded_pool::{BoundedPool, PoolLimits, Suspicion};
use crate::error::StorageError;
use crate::metrics::StorageMetrics;
use crate::own_connection::OwnConnection;
use crate::session::{Route, SERVER_MARGIN, Session};

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`; holds a password.
    pub url: SecretString,
    /// The address of the same database past a pooler in transaction mode, to which `url` then leads.
    pub direct_url: Option<SecretString>,
    /// Maximum number of connections, from 1.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
    /// The deadline of a statement, and of a transaction as a whole.
    pub statement_timeout: Duration,
    /// How migrations are applied.
    pub migrations: MigrationSettings,
}

/// How migrations are applied beside a running gateway.
#[derive(Debug, Clone, Copy)]
pub struct MigrationSettings {
    /// How long a migration waits for a lock, and writers behind it.
    pub lock_timeout: Duration,
    /// How often it is tried, from 1.
    pub attempts: u32,
}

impl Default for MigrationSettings {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(2),
            attempts: 60,
        }
    }
}

/// Postgres: one pool per process.
#[derive(Debug, Clone)]
pub struct Database {
    pool: BoundedPool,
    /// Without settings of a session.
    options: PgConnectOptions,
    /// Leads to Postgres itself. Without settings of a session.
    direct_options: PgConnectOptions,
    route: Route,
    /// Shared by the pools: all connections lead to the same server.
    suspicion: Arc<Suspicion>,
    connect_timeout: Duration,
    migrations: MigrationSettings,
    metrics: Arc<StorageMetrics>,
}

impl Database {
    /// Prepares the pool. Connections are opened when needed, so this succeeds while Postgres is unavailable.
    ///
    /// # Errors
    /// [`StorageError::Address`].
    pub fn new(settings: &DatabaseSettings) -> Result<Self, StorageError> {
        let parse = |url: &SecretString| url.expose_secret().parse().map_err(StorageError::Address);
        let options: PgConnectOptions = parse(&settings.url)?;
        let (direct_options, route) = match &settings.direct_url {
            Some(url) => (parse(url)?, Route::Pooled),
            None => (options.clone(), Route::Direct),
        };
        let suspicion = Arc::<Suspicion>::default();
        let session = Session::new("dbt-gateway", settings.statement_timeout + SERVER_MARGIN);
        let limits = PoolLimits {
            max_connections: settings.max_connections,
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout,
        };
        Ok(Self {
            pool: BoundedPool::new(&options, &session, route, limits, &suspicion),
            options,
            direct_options,
            route,
            suspicion,
            connect_timeout: settings.acquire_timeout,
            migrations: settings.migrations,
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

    /// A pool of other connections to the same database.
    pub(crate) fn another_pool(&self, session: &Session, limits: PoolLimits) -> BoundedPool {
        BoundedPool::new(&self.options, session, self.route, limits, &self.suspicion)
    }

    /// A session of Postgres itself without limits for its statements, past any pooler: for the migrations. Its errors say
    /// why it could not be opened; those of the pool do not.
    pub(crate) async fn connect_directly(&self) -> Result<PgConnection, sqlx::Error> {
        self.open(&self.direct_options.clone().application_name("dbt-gateway"))
            .await
    }

    /// A connection outside the pool.
    pub(crate) async fn connect_as(&self, session: &Session) -> Result<OwnConnection, sqlx::Error> {
        let connection = self.open(&session.options(&self.options, self.route)).await?;
        Ok(OwnConnection::new(
            connection,
            self.is_pooled().then(|| session.begin()),
        ))
    }

    /// A connection outside the pool fell silent, or its server became a standby: the idle ones lead to the same server.
    pub(crate) fn distrust_idle_connections(&self) {
        self.suspicion.raise();
    }

    pub(crate) async fn open(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let connecting = timeout(self.connect_timeout, options.connect());
        connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Whether a pooler in transaction mode is between this process and Postgres.
    pub(crate) fn is_pooled(&self) -> bool {
        self.route == Route::Pooled
    }

    /// Without settings of a session.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// As [`Self::options`], of Postgres itself.
    pub(crate) fn direct_options(&self) -> &PgConnectOptions {
        &self.direct_options
    }

    pub(crate) fn migration_settings(&self) -> &MigrationSettings {
        &self.migrations
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
        let options = pool.connect_options().as_ref().clone();
        Self {
            direct_options: options.clone(),
            options,
            route: Route::Direct,
            suspicion: Arc::default(),
            connect_timeout: pool.options().get_acquire_timeout(),
            migrations: MigrationSettings::default(),
            pool: pool.into(),
            metrics: Arc::default(),
        }
    }
}
