//! The connection pool and the migrations.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`; holds a password.
    pub url: SecretString,
    /// At most so many connections at once, from 1.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
}

/// What can go wrong between us and Postgres.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The address is not a `postgres://` URL.
    #[error("the database's address is not a postgres:// URL")]
    Address(#[source] sqlx::Error),
    /// Postgres does not answer, or refuses the statement.
    #[error("the database did not do what it was asked")]
    Query(#[from] sqlx::Error),
    /// A migration failed, or the database was migrated by a newer version of this program.
    #[error("the database's tables could not be brought up to date")]
    Migrate(#[from] MigrateError),
    /// A row holds what this version does not know.
    #[error("unreadable row in {table}: {reason}")]
    Row {
        /// The table the row is in.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no company with that id.
    #[error("there is no company {0}")]
    NoSuchCompany(model::CompanyId),
}

impl StorageError {
    /// Whether the database is not there (yet): starting, stopping, or not reachable.
    pub fn is_absence(&self) -> bool {
        let (Self::Query(error) | Self::Migrate(MigrateError::Execute(error))) = self else {
            return false;
        };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // 57P01 to 57P03: stopped by its administrator, crashed, still starting.
        matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut)
            || code.is_some_and(|code| code.starts_with("57P0"))
    }
}

/// Postgres: one pool for the process.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    connect_timeout: Duration,
}

impl Database {
    /// Prepares the pool; connections are made when needed, so this does not fail while Postgres is away.
    ///
    /// # Errors
    /// [`StorageError::Address`] when the URL does not parse.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, StorageError> {
        let options: PgConnectOptions = settings.url.expose_secret().parse().map_err(StorageError::Address)?;
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .connect_lazy_with(options.application_name("dbt-gateway"));
        Ok(Self {
            pool,
            connect_timeout: settings.acquire_timeout,
        })
    }

    /// Brings the tables up to date. Replicas that start together take turns.
    ///
    /// # Errors
    /// [`StorageError::Migrate`].
    pub async fn migrate(&self) -> Result<(), StorageError> {
        // Not by the pool, which hides why it has no connection.
        let connecting = self.pool.connect_options();
        let connecting = tokio::time::timeout(self.connect_timeout, connecting.connect());
        let mut connection = connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        sqlx::migrate!("../../migrations").run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl From<PgPool> for Database {
    /// For tests, which bring a pool of their own.
    fn from(pool: PgPool) -> Self {
        let connect_timeout = pool.options().get_acquire_timeout();
        Self { pool, connect_timeout }
    }
}
