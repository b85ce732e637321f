//! The days of the log: partitions are made ahead of their rows, and dropped when they have expired.
//!
//! Called by `gateway` at start and every minute. Nothing here holds up a reader or a writer: a partition is first taken
//! out of the table concurrently, which waits for those who use it, and only then dropped.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use super::insert::ensure_partition;
use crate::{Database, StorageError};

/// Says of a table that it was a partition and we were about to drop it. What an operator detached does not bear it.
const MARK: &str = "dbt-gateway: expired, to be dropped";

/// The partitions of `request_log`, one a UTC day.
#[derive(Debug, Clone)]
pub struct Partitions {
    options: PgConnectOptions,
}

/// A day's table that has expired.
#[derive(sqlx::FromRow)]
struct Expired {
    name: String,
    is_attached: bool,
    /// Half taken out: whoever began it did not live to end it.
    is_pending: bool,
}

impl Partitions {
    /// How many days ahead partitions are made.
    pub const DAYS_AHEAD: u64 = 2;

    /// The partitions of that database. A partition that is still read is waited for at most so long; it is then
    /// dropped the next time.
    pub fn new(database: &Database, patience: Duration) -> Self {
        let options = database.pool().connect_options().as_ref().clone();
        let patience = patience.as_millis().to_string();
        Self {
            options: options
                .application_name("dbt-gateway partitions")
                .options([("statement_timeout", patience.as_str())]),
        }
    }

    /// Makes the partitions of today and of the next [`Self::DAYS_AHEAD`] days where they are missing.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn make_ahead(&self, today: NaiveDate) -> Result<(), StorageError> {
        let mut connection = self.options.connect().await?;
        for ahead in 0..=Self::DAYS_AHEAD {
            if let Some(day) = today.checked_add_days(Days::new(ahead)) {
                ensure_partition(&mut connection, day).await?;
            }
        }
        Ok(connection.close().await?)
    }

    /// Drops the partitions of all days but the last `retention_days` before today, and returns their names. Today is
    /// the earlier one of `today` and the database's, so that one clock that is ahead costs no row.
    ///
    /// Of several processes that try at once one does it.
    ///
    /// # Errors
    /// [`StorageError::Query`]; among them that a partition is still read.
    pub async fn drop_expired(&self, today: NaiveDate, retention_days: u32) -> Result<Vec<String>, StorageError> {
        let mut connection = self.options.connect().await?;
        // Held by the connection, hence let go when it closes.
        let is_ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext('request_log_drop_expired'))")
            .fetch_one(&mut connection)
            .await?;
        let mut dropped = Vec::new();
        if is_ours {
            for table in expired(&mut connection, today, retention_days).await? {
                drop_table(&mut connection, &table).await?;
                dropped.push(table.name);
            }
        }
        connection.close().await?;
        Ok(dropped)
    }
}

/// The tables of expired days that are partitions, half or whole, or that we took out and did not drop. Names of one
/// length sort as their days do; a day after the year 9999 has a longer name and is never over.
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
    // Of the form that `expired` looks for: nothing to quote.
    let name = &table.name;
    let mut steps = Vec::new();
    if table.is_pending {
        steps.push(format!("ALTER TABLE request_log DETACH PARTITION {name} FINALIZE"));
    } else if table.is_attached {
        // So that the next one knows what to do with the table, should this one not get to the end.
        steps.push(format!("COMMENT ON TABLE {name} IS '{MARK}'"));
        steps.push(format!("ALTER TABLE request_log DETACH PARTITION {name} CONCURRENTLY"));
    }
    steps.push(format!("DROP TABLE {name}"));
    for step in steps {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *connection).await?;
    }
    Ok(())
}
