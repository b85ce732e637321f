//! Checks at start that the addresses of the database lead where they must: `url` to Postgres itself, or, with `direct_url`,
//! to a pooler in transaction mode that keeps prepared statements, and `direct_url` past it.
//!
//! What a pooler is shows in what it does: it refuses or drops the settings of a session, and lends the session of one
//! client to another.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

use crate::database::Database;
use crate::error::{PoolerError, StorageError, sqlstate};
use crate::session::{Route, Session};

/// A value of a setting that nothing else sets.
const MARKER: Duration = Duration::from_millis(61_234);
/// Most sessions of the pooler that are tried for the one that another client used.
const MAX_SESSIONS: usize = 20;
/// How long the pooler may take to lend one more session: all may be in use.
const LEND_LIMIT: Duration = Duration::from_secs(1);
/// The first version of PgBouncer that keeps prepared statements in transaction mode.
const NEEDED: (u32, u32) = (1, 21);

impl Database {
    /// # Errors
    /// [`StorageError::Pooler`], [`StorageError::Query`] if an address cannot be reached.
    pub(crate) async fn check_addresses(&self) -> Result<(), StorageError> {
        if self.has_settings().await? {
            return if self.is_pooled() {
                self.check_pooler().await
            } else {
                Ok(())
            };
        }
        Err(StorageError::Pooler(if self.is_pooled() {
            PoolerError::DirectUrlIsPooled
        } else {
            PoolerError::DirectUrlMissing
        }))
    }

    /// Whether the session of a direct connection has the settings that the connection asks for.
    async fn has_settings(&self) -> Result<bool, StorageError> {
        let session = Session::new("dbt-gateway start", MARKER);
        match self.open(&session.options(self.direct_options(), Route::Direct)).await {
            Ok(mut connection) => {
                let kept: String = sqlx::raw_sql("SHOW statement_timeout")
                    .fetch_one(&mut connection)
                    .await?
                    .try_get(0)?;
                connection.close().await?;
                Ok(kept == format!("{}ms", MARKER.as_millis()))
            }
            Err(error) if refused_parameter(&error).is_some() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_pooler(&self) -> Result<(), StorageError> {
        if let Some(version) = self.pgbouncer_version().await
            && parsed(&version).is_some_and(|version| version < NEEDED)
        {
            return Err(StorageError::Pooler(PoolerError::TooOld(version)));
        }
        match self.loses_statements().await {
            Ok(false) => Ok(()),
            Ok(true) => Err(StorageError::Pooler(PoolerError::LosesStatements)),
            Err(error) => match refused_parameter(&error) {
                Some(message) => Err(StorageError::Pooler(PoolerError::Refuses(message))),
                None => Err(error.into()),
            },
        }
    }

    /// What PgBouncer's console says, or its way to refuse `options`, which it has understood since 1.20. `None` if it says
    /// nothing: the console is open to few users, and parameters may be ignored.
    async fn pgbouncer_version(&self) -> Option<String> {
        let session = Session::new("dbt-gateway start", MARKER);
        let console = session.options(&self.options().clone().database("pgbouncer"), Route::Pooled);
        let asked = async {
            let mut connection = self.open(&console).await?;
            let version: String = connection.fetch_one("SHOW VERSION").await?.try_get(0)?;
            Ok::<_, sqlx::Error>(version)
        };
        if let Ok(version) = asked.await {
            return Some(version);
        }
        let with_settings = session.options(self.options(), Route::Direct).extra_float_digits(None);
        let error = self.open(&with_settings).await.err()?;
        (refused_parameter(&error)? == "unsupported startup parameter: options")
            .then(|| "PgBouncer older than 1.20".to_owned())
    }

    /// Has two clients prepare different statements by the same name in one session of Postgres. Each has its own if the
    /// pooler keeps them apart. `false` also if no second client gets that session, as without a pooler.
    async fn loses_statements(&self) -> Result<bool, sqlx::Error> {
        let options = Session::new("dbt-gateway start", MARKER).options(self.options(), Route::Pooled);
        let mut first = self.open(&options).await?;
        let used = async {
            let session = in_transaction(&mut first).await?;
            sqlx::query("SELECT 1 AS one").execute(&mut first).await?;
            first.execute("COMMIT").await?;
            Ok(session)
        };
        let session = match used.await {
            Ok(session) => session,
            Err(error) => return lost(error),
        };
        let mut others = Vec::new();
        while others.len() < MAX_SESSIONS {
            let mut other = self.open(&options).await?;
            let Ok(lent) = timeout(LEND_LIMIT, in_transaction(&mut other)).await else {
                return Ok(false);
            };
            if lent? == session {
                return match sqlx::query("SELECT 2 AS two").execute(&mut other).await {
                    Ok(_) => Ok(false),
                    Err(error) => lost(error),
                };
            }
            // Keeps its session, so that the next one gets another.
            others.push(other);
        }
        Ok(false)
    }
}

/// Begins a transaction; returns the process id of its session. Without a prepared statement.
async fn in_transaction(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    connection.execute("BEGIN").await?;
    connection.fetch_one("SELECT pg_backend_pid()").await?.try_get(0)
}

/// Whether that error means that the statement is another client's, or gone.
fn lost(error: sqlx::Error) -> Result<bool, sqlx::Error> {
    // 42P05: duplicate_prepared_statement. 26000: invalid_sql_statement_name.
    match sqlstate(&error).as_deref() {
        Some("42P05" | "26000") => Ok(true),
        _ => Err(error),
    }
}

/// The message of a pooler that does not accept a parameter of the connection; Postgres accepts those that are sent.
fn refused_parameter(error: &sqlx::Error) -> Option<String> {
    let message = error.as_database_error()?.message();
    message
        .starts_with("unsupported startup parameter")
        .then(|| message.to_owned())
}

/// Parses `PgBouncer 1.18.0`.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let digits = version.strip_prefix("PgBouncer ")?;
    if digits.starts_with("older") {
        return Some((0, 0));
    }
    let mut parts = digits.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{NEEDED, parsed};

    #[test]
    fn versions_are_compared_by_number() {
        let is_sufficient = |text| parsed(text).map(|version| version >= NEEDED);
        assert_eq!(is_sufficient("PgBouncer 1.18.0"), Some(false));
        assert_eq!(is_sufficient("PgBouncer 1.9.0"), Some(false));
        assert_eq!(is_sufficient("PgBouncer older than 1.20"), Some(false));
        assert_eq!(is_sufficient("PgBouncer 1.21.0"), Some(true));
        assert_eq!(is_sufficient("PgBouncer 2.0.1"), Some(true));
        assert_eq!(is_sufficient("another pooler 1.0"), None);
    }
}
