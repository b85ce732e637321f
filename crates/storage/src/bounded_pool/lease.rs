//! A connection on loan. It goes back to the pool only if it answers soon.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::suspicion::Suspicion;

/// How long a connection may take to finish the statement of a caller that has gone, and again to roll back.
const RETURN_LIMIT: Duration = Duration::from_secs(2);

pub(super) struct Lease {
    suspicion: Arc<Suspicion>,
    /// `None` once returned or discarded.
    connection: Option<PoolConnection<Postgres>>,
    is_in_transaction: bool,
    lent_at: Instant,
}

impl Lease {
    pub(super) fn new(connection: PoolConnection<Postgres>, suspicion: Arc<Suspicion>) -> Self {
        Self {
            suspicion,
            connection: Some(connection),
            is_in_transaction: false,
            lent_at: Instant::now(),
        }
    }

    pub(super) async fn begin(&mut self, statements: &str) -> Result<(), sqlx::Error> {
        self.is_in_transaction = true;
        self.execute(AssertSqlSafe(statements)).await?;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Closes the connection without a word to the server, and frees its slot.
    pub(super) fn discard(mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }
}

const HELD: &str = "the connection is held until the lease is dropped";

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(HELD)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(HELD)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        match Handle::try_current() {
            Ok(runtime) => {
                let suspicion = Arc::clone(&self.suspicion);
                drop(runtime.spawn(give_back(connection, self.is_in_transaction, self.lent_at, suspicion)));
            }
            // The process is ending.
            Err(_) => drop(connection.detach()),
        }
    }
}

/// Returns the connection after a rollback and a ping, which wait for the end of an interrupted statement.
async fn give_back(
    mut connection: PoolConnection<Postgres>,
    is_in_transaction: bool,
    lent_at: Instant,
    suspicion: Arc<Suspicion>,
) {
    if is_in_transaction {
        let rolled_back = timeout(RETURN_LIMIT, connection.execute("ROLLBACK")).await;
        if !matches!(rolled_back, Ok(Ok(_))) {
            suspicion.raise();
            drop(connection.detach());
            return;
        }
    }
    if suspicion.was_raised_since(lent_at) {
        drop(connection.detach());
        return;
    }
    // Dropped at the limit it closes the connection; sqlx's own return has no limit.
    let returning = connection.return_to_pool();
    if timeout(RETURN_LIMIT, returning).await.is_err() {
        suspicion.raise();
        tracing::debug!("closed a connection to Postgres that did not finish its statement");
    }
}
