//! The connection pool and the migrations.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

use crate::{DecryptError, StorageMetrics};

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
    /// A search of the request log took longer than a statement may.
    #[error("the search took too long")]
    TooSlow(#[source] sqlx::Error),
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
    /// Another one of the same kind, in the same company, has that name.
    #[error("the name is taken")]
    NameTaken,
    /// A name that the table would refuse; the text says what a name is.
    #[error("{0}")]
    InvalidName(&'static str),
    /// An address that is not stored: too long, or with parts that may be secret and would lie there unsealed.
    #[error("{0} is longer than 2048 characters, or has a user, a password, a query or a fragment")]
    InvalidUrl(&'static str),
    /// An address of a credential is to move to another origin without its token being given anew: whoever may change
    /// an address could otherwise have the stored token sent to themselves.
    #[error("a credential's address moves to another host only together with its token")]
    TokenRequired,
    /// A key's default account is not in the list of accounts it may use.
    #[error("the default account {0} is not among the key's accounts")]
    DefaultAccountNotAllowed(model::AccountId),
    /// No encryption key is given, so a token can be neither stored nor read.
    #[error("there is no encryption key for tokens")]
    NoKeyRing,
    /// A stored token cannot be read.
    #[error("the token of credential `{credential}` of company {company} cannot be read")]
    Token {
        /// Whose credential.
        company: model::CompanyId,
        /// The credential's name.
        credential: String,
        /// Why.
        #[source]
        reason: DecryptError,
    },
}

impl StorageError {
    /// `NameTaken` where the unique constraint of that name refused the statement.
    pub(crate) fn taken_or(error: sqlx::Error, constraint: &str) -> Self {
        let violated = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::constraint);
        if violated == Some(constraint) {
            Self::NameTaken
        } else {
            Self::Query(error)
        }
    }

    /// `TooSlow` where the statement ran into its time limit.
    pub(crate) fn slow_or(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // 57014: cancelled.
        if code.is_some_and(|code| code == "57014") {
            Self::TooSlow(error)
        } else {
            Self::Query(error)
        }
    }

    /// Whether the database is not there (yet): starting, stopping, or not reachable.
    pub fn is_unavailable(&self) -> bool {
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
    metrics: Arc<StorageMetrics>,
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
            metrics: Arc::default(),
        })
    }

    /// The same database, whose changes are counted there.
    #[must_use]
    pub fn counted_by(self, metrics: Arc<StorageMetrics>) -> Self {
        Self { metrics, ..self }
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
        Self::migrations().run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// What this program brings the tables up to. Those of a newer version beside it are left alone.
    pub(crate) fn migrations() -> Migrator {
        let mut migrations = sqlx::migrate!("../../migrations");
        migrations.set_ignore_missing(true);
        migrations
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn metrics(&self) -> &Arc<StorageMetrics> {
        &self.metrics
    }
}

impl From<PgPool> for Database {
    /// For tests, which bring a pool of their own.
    fn from(pool: PgPool) -> Self {
        let connect_timeout = pool.options().get_acquire_timeout();
        Self {
            pool,
            connect_timeout,
            metrics: Arc::default(),
        }
    }
}
