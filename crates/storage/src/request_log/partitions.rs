//! Creates the partitions of the log before they are needed, and drops expired ones.
//!
//! Called by `gateway` at start and every minute. Blocks neither readers nor writers: a partition is first detached
//! concurrently, which waits for queries that use it, and then dropped.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time;

use crate::database::Database;
use crate::error::StorageError;
use crate::session::Session;

/// Statements that run one after another: those that drop a table.
const MAX_STATEMENTS: u32 = 4;
/// The comment on a table that the gateway detached in order to drop it. Tables that an operator detached lack it.
const MARK: &str = "dbt-gateway: expired, to be dropped";

/// The partitions of `request_log`, one per UTC day.
#[derive(Debug, Clone)]
pub struct Partitions {
    database: Database,
    session: Session,
}

/// The table of an expired day.
#[derive(sqlx::FromRow)]
struct Expired {
    name: String,
    is_attached: bool,
    /// The process that detached it died before the end.
    is_pending: bool,
}

impl Partitions {
    /// Number of days after today for which partitions are created.
    pub const DAYS_AHEAD: u64 = 2;

    /// `timeout` limits the wait for queries that read an expired partition; it is then dropped on the next run.
    pub fn new(database: &Database, timeout: Duration) -> Self {
        Self {
            database: database.clone(),
            session: Session::new("dbt-gateway partitions", timeout),
        }
    }

    /// Creates missing partitions of today and the next [`Self::DAYS_AHEAD`] days. Returns the last of these days.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn make_ahead(&self, today: NaiveDate) -> Result<NaiveDate, StorageError> {
        self.bounded(async {
            let mut connection = self.database.connect_as(&self.session).await?;
            let mut last = today;
            for ahead in 0..=Self::DAYS_AHEAD {
                if let Some(day) = today.checked_add_days(Days::new(ahead)) {
                    ensure_partition(&mut connection, day).await?;
                    last = day;
                }
            }
            Ok(last)
        })
        .await
    }

    /// Drops the partitions older than `retention_days` before today, and returns their names. Today is the earlier of
    /// `today` and the database's date, so that one clock that is ahead loses no row.
    ///
    /// Of several concurrent processes one does it.
    ///
    /// # Errors
    /// [`StorageError::Query`], also when a partition is still read at the timeout.
    pub async fn drop_expired(&self, today: NaiveDate, retention_days: u32) -> Result<Vec<String>, StorageError> {
        let mut connection = self.database.connect_as(&self.session).await?;
        let listing = self.bounded(async {
            // A session lock: released when the connection closes.
            let lock = "SELECT pg_try_advisory_lock(hashtext('request_log_drop_expired'))";
            let is_locked: bool = sqlx::query_scalar(lock).fetch_one(&mut connection).await?;
            Ok(if is_locked {
                expired(&mut connection, today, retention_days).await?
            } else {
                Vec::new()
            })
        });
        let mut dropped = Vec::new();
        for table in listing.await? {
            self.bounded(async { Ok(drop_table(&mut connection, &table).await?) })
                .await?;
            dropped.push(table.name);
        }
        Ok(dropped)
    }

    /// Ends the wait for a server that does not end the statements itself.
    async fn bounded<T>(&self, statements: impl Future<Output = Result<T, StorageError>>) -> Result<T, StorageError> {
        let limit = self.session.statement_timeout * MAX_STATEMENTS;
        let done = time::timeout(limit, statements).await;
        done.unwrap_or(Err(StorageError::TimedOut(limit)))
    }
}

/// The expired tables: attached, half detached, or detached by the gateway and not dropped. Names of equal length sort
/// by day; a day after the year 9999 has a longer name and never expires.
async fn expired(
    connection: &mut PgConnection,
    today: NaiveDate,
    retention_days: u32,
) -> Result<Vec<Expired>, sqlx::Error> {
    let expired = sqlx::query_as(
        "SELECT c.relname::text AS name, i.inhrelid IS NOT NULL AS is_attached,
             coalesce(i.inhdetachpending, false) AS is_pending
         FROM pg_class c
         LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'request_log'::regclass
         WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'request_log'::regclass)
             AND c.relkind = 'r' AND c.relname ~ '^request_log_[0-9]{8}$'
             AND c.relname < 'request_log_' || to_char(least($1, (now() AT TIME ZONE 'UTC')::date) - $2, 'YYYYMMDD')
             AND (i.inhrelid IS NOT NULL OR obj_description(c.oid, 'pg_class') = $3)
         ORDER BY i.inhdetachpending DESC NULLS LAST, c.relname",
    )
    .bind(today)
    .bind(i32::try_from(retention_days).unwrap_or(i32::MAX))
    .bind(MARK);
    expired.fetch_all(connection).await
}

async fn drop_table(connection: &mut PgConnection, table: &Expired) -> Result<(), sqlx::Error> {
    // Matches the pattern in `expired`, so it needs no quotes.
    let name = &table.name;
    let mut steps = Vec::new();
    if table.is_pending {
        steps.push(format!("ALTER TABLE request_log DETACH PARTITION {name} FINALIZE"));
    } else if table.is_attached {
        // If this process dies, the next run finds the mark and drops the table.
        steps.push(format!("COMMENT ON TABLE {name} IS '{MARK}'"));
        steps.push(format!("ALTER TABLE request_log DETACH PARTITION {name} CONCURRENTLY"));
    }
    steps.push(format!("DROP TABLE {name}"));
    for step in steps {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Creates the partition of that UTC day if it is missing.
pub(crate) async fn ensure_partition(connection: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT request_log_ensure_partition($1)", day)
        .fetch_one(connection)
        .await?;
    Ok(())
}
