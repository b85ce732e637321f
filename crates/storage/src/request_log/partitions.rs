//! Creates the partitions of the log before they are needed, and drops expired ones.
//!
//! Called by `gateway` at start and every minute. Functions of the database do the work with the rights of their owner: the
//! role of a running gateway owns no table, and no statement needs a session of its own. Creating a partition blocks
//! neither readers nor writers. Dropping one waits for no reader: a day that is in use, by a search or a `pg_dump`, is
//! dropped on a later run, and writers wait at most [`Partitions::new`]'s `drop_wait`.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::bounded_pool::{BoundedPool, BoundedTransaction};
use crate::database::Database;
use crate::error::StorageError;

/// The deadline of the statements of one transaction: creating a partition waits for an `ANALYZE` of the whole log.
const LIMIT: Duration = Duration::from_secs(30);

/// The partitions of `request_log`, one per UTC day.
#[derive(Debug, Clone)]
pub struct Partitions {
    pool: BoundedPool,
    drop_wait: Duration,
}

/// What dropping expired partitions did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Names of the dropped partitions, oldest first.
    pub partitions: Vec<String>,
    /// Whether others are still in use; a later run drops them.
    pub are_others_in_use: bool,
}

/// One call of `request_log_drop_expired`.
#[derive(sqlx::FromRow)]
struct Step {
    dropped: Option<String>,
    is_in_use: bool,
}

impl Partitions {
    /// Number of days after today for which partitions are created.
    pub const DAYS_AHEAD: u64 = 2;

    /// Dropping a partition needs the whole log for a moment. `drop_wait` limits how long it waits for searches and
    /// commits under way, and how long new ones wait behind it.
    pub fn new(database: &Database, drop_wait: Duration) -> Self {
        Self {
            pool: database.pool().with_limit(LIMIT),
            drop_wait,
        }
    }

    /// Creates missing partitions of today and the next [`Self::DAYS_AHEAD`] days. Returns the last of these days.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn make_ahead(&self, today: NaiveDate) -> Result<NaiveDate, StorageError> {
        let make = async |mut transaction: BoundedTransaction| {
            let mut last = today;
            for ahead in 0..=Self::DAYS_AHEAD {
                if let Some(day) = today.checked_add_days(Days::new(ahead)) {
                    ensure_partition(&mut transaction, day).await?;
                    last = day;
                }
            }
            transaction.commit().await?;
            Ok(last)
        };
        self.pool.transaction(make).await
    }

    /// Drops the partitions older than `retention_days`, at least 1, before today. Today is the earlier of `today` and the
    /// database's date, so that one clock that is ahead loses no row.
    ///
    /// Of several concurrent processes one does it.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn drop_expired(&self, today: NaiveDate, retention_days: u32) -> Result<Dropped, StorageError> {
        let mut done = Dropped::default();
        loop {
            // One partition in each transaction, so that the log is blocked for that one only.
            match self.drop_one(today, retention_days).await {
                Ok(step) => {
                    done.are_others_in_use = step.is_in_use;
                    match step.dropped {
                        Some(name) => done.partitions.push(name),
                        None => return Ok(done),
                    }
                }
                Err(error) if error.is_lock_timeout() => {
                    done.are_others_in_use = true;
                    return Ok(done);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn drop_one(&self, today: NaiveDate, retention_days: u32) -> Result<Step, StorageError> {
        let wait = format!("SET LOCAL lock_timeout = {}", self.drop_wait.as_millis().max(1));
        let retention_days = i32::try_from(retention_days).unwrap_or(i32::MAX);
        let drop_one = async |mut transaction: BoundedTransaction| {
            sqlx::raw_sql(AssertSqlSafe(wait)).execute(&mut *transaction).await?;
            let step: Step = sqlx::query_as("SELECT dropped, is_in_use FROM request_log_drop_expired($1, $2)")
                .bind(today)
                .bind(retention_days)
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(step)
        };
        self.pool.transaction(drop_one).await
    }
}

/// Creates the partition of that UTC day if it is missing.
pub(crate) async fn ensure_partition(connection: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT request_log_ensure_partition($1)", day)
        .fetch_one(connection)
        .await?;
    Ok(())
}
