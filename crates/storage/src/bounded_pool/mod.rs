//! A connection pool in which no statement, transaction, acquisition or return waits without a limit.
//!
//! A statement that passes its deadline fails with [`StorageError::TimedOut`](crate::StorageError::TimedOut), and its
//! connection is thrown away. sqlx's own pool would test it with a ping that has no limit, and would keep its slot
//! meanwhile.

mod executor;
mod lease;
mod suspicion;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::timeout;

use self::lease::Lease;
pub(crate) use self::suspicion::Suspicion;
pub(crate) use self::transaction::BoundedTransaction;
use crate::error::StatementTimeout;
use crate::session::{Route, SERVER_MARGIN, Session};

/// How long an idle connection may take to answer a ping before it is used.
const PING_LIMIT: Duration = Duration::from_secs(1);
/// How long [`BoundedPool::close`] waits for connections in use.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// The limits of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    /// Maximum number of connections, from 1.
    pub(crate) max_connections: u32,
    /// How long a caller waits for a connection.
    pub(crate) acquire_timeout: Duration,
    /// The deadline of a statement, and of a transaction as a whole.
    pub(crate) statement_timeout: Duration,
}

/// The pool. `&BoundedPool` executes single statements; [`Self::transaction`] runs several. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BoundedPool {
    pool: PgPool,
    limit: Duration,
    session: Session,
    /// The statements that begin a transaction.
    begin: Arc<str>,
    /// Whether single statements need a transaction, since their connection has no settings.
    is_guarded: bool,
    suspicion: Arc<Suspicion>,
}

impl BoundedPool {
    /// Connections are opened when needed.
    pub(crate) fn new(
        database: &PgConnectOptions,
        session: &Session,
        route: Route,
        limits: PoolLimits,
        suspicion: &Arc<Suspicion>,
    ) -> Self {
        let options = session.options(database, route);
        let suspicion = Arc::clone(suspicion);
        let watched = Arc::clone(&suspicion);
        let pool = PgPoolOptions::new()
            .max_connections(limits.max_connections)
            .acquire_timeout(limits.acquire_timeout)
            // Its ping has no limit of its own: one silent connection would take the whole `acquire_timeout`.
            .test_before_acquire(false)
            .before_acquire(move |connection, idle| {
                let suspicion = Arc::clone(&watched);
                Box::pin(async move { Ok(is_usable(connection, idle.idle_for, &suspicion).await) })
            })
            .connect_lazy_with(options);
        let is_guarded = route == Route::Pooled;
        Self {
            pool,
            limit: limits.statement_timeout,
            session: *session,
            begin: if is_guarded {
                session.begin().into()
            } else {
                "BEGIN".into()
            },
            is_guarded,
            suspicion,
        }
    }

    /// The same connections with another deadline, at the server too.
    pub(crate) fn with_limit(&self, limit: Duration) -> Self {
        let session = Session {
            statement_timeout: limit + SERVER_MARGIN,
            ..self.session
        };
        Self {
            limit,
            session,
            begin: session.begin().into(),
            is_guarded: true,
            ..self.clone()
        }
    }

    /// For gauges.
    pub(crate) fn inner(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the connections, after waiting a moment for those in use.
    pub(crate) async fn close(&self) {
        if timeout(CLOSE_LIMIT, self.pool.close()).await.is_err() {
            tracing::warn!("connections to Postgres were still in use when the pool was closed");
        }
    }

    async fn lease(&self) -> Result<Lease, sqlx::Error> {
        let connection = self.pool.acquire().await?;
        Ok(Lease::new(connection, Arc::clone(&self.suspicion)))
    }

    /// Throws the connection away, and distrusts all others that are idle now.
    fn timed_out(&self, lease: Lease) -> sqlx::Error {
        self.suspicion.raise();
        lease.discard();
        StatementTimeout(self.limit).into()
    }

    /// Keeps the connection, unless the error says that it leads to a server that is no longer the right one.
    fn checked<T>(&self, lease: Lease, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if let Err(error) = &result
            && is_about_the_server(error)
        {
            self.suspicion.raise();
            lease.discard();
        }
        result
    }
}

/// For tests, which bring their own pool.
impl From<PgPool> for BoundedPool {
    fn from(pool: PgPool) -> Self {
        let limit = Duration::from_mins(1);
        Self {
            pool,
            limit,
            session: Session::new("dbt-gateway", limit + SERVER_MARGIN),
            begin: "BEGIN".into(),
            is_guarded: false,
            suspicion: Arc::default(),
        }
    }
}

async fn is_usable(connection: &mut PgConnection, idle_for: Duration, suspicion: &Suspicion) -> bool {
    if suspicion.includes(idle_for) {
        return false;
    }
    let Ok(answered) = timeout(PING_LIMIT, connection.ping()).await else {
        suspicion.raise();
        return false;
    };
    answered.is_ok()
}

/// The connection is broken, the server stops, it became a read-only standby (25006), or a pooler lost it (class 08).
pub(crate) fn is_about_the_server(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
        || code.is_some_and(|code| code == "25006" || code.starts_with("57P0") || code.starts_with("08"))
}
