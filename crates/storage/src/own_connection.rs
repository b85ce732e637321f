//! A connection outside the pool, for a task that waits for no other statement of the process.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

/// The connection. Each unit of work is between [`Self::begin`] and [`Self::end`].
#[derive(Debug)]
pub(crate) struct OwnConnection {
    connection: PgConnection,
    /// Behind a pooler: the statements that begin a transaction with the settings of the session.
    begin: Option<String>,
}

impl OwnConnection {
    pub(crate) fn new(connection: PgConnection, begin: Option<String>) -> Self {
        Self { connection, begin }
    }

    /// Makes the settings of the session hold for the statements until [`Self::end`].
    pub(crate) async fn begin(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if let Some(begin) = &self.begin {
            self.connection.execute(AssertSqlSafe(begin.as_str())).await?;
        }
        Ok(&mut self.connection)
    }

    /// Commits if the statements succeeded.
    pub(crate) async fn end<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if self.begin.is_none() {
            return result;
        }
        let ending = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.connection.execute(ending).await;
        let value = result?;
        ended?;
        Ok(value)
    }
}
