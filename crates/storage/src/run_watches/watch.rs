//! A watched run.

use chrono::{DateTime, Utc};
use model::{InstanceId, JobId, RunId};
use serde_json::Value;

use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;
use crate::run_events::StreamKey;

/// The watches in Postgres. All times are those of the database's clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RunWatches {
    pub(super) pool: BoundedPool,
    pub(super) instance: Option<InstanceId>,
}

impl RunWatches {
    /// The watches of that database, with leases of this process.
    pub fn new(database: &Database, instance: Option<InstanceId>) -> Self {
        Self {
            pool: database.pool().clone(),
            instance,
        }
    }

    /// The state of these watches.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn states(&self, ids: &[i64]) -> Result<Vec<WatchState>, StorageError> {
        let rows = sqlx::query_as!(
            WatchState,
            r#"SELECT id, credential, run, ended_at IS NOT NULL AS "is_over!"
               FROM run_watch WHERE id = ANY ($1)"#,
            ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The watch of that run, if there is one.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn find(&self, run: &RunKey) -> Result<Option<WatchState>, StorageError> {
        let row = sqlx::query_as!(
            WatchState,
            r#"SELECT id, credential, run, ended_at IS NOT NULL AS "is_over!"
               FROM run_watch WHERE company_id = $1 AND host = $2 AND account_id = $3 AND run_id = $4"#,
            run.stream.company_id.0,
            run.stream.host,
            run.stream.account_id.0,
            run.run_id.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// Makes these watches due now, except those whose runs were seen less than two seconds ago.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn look_now(&self, ids: &[i64]) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE run_watch SET next_look_at = clock_timestamp()
             WHERE id = ANY ($1) AND ended_at IS NULL AND next_look_at > clock_timestamp()
                 AND (seen_at IS NULL OR seen_at <= clock_timestamp() - interval '2 seconds')",
            ids
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The seconds from start to end of the job's last runs that succeeded while they were watched: at most 20.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn durations(&self, stream: &StreamKey, job: JobId) -> Result<Vec<f64>, StorageError> {
        let secs = sqlx::query_scalar!(
            r#"SELECT run_secs AS "secs!" FROM run_watch
               WHERE company_id = $1 AND host = $2 AND account_id = $3 AND job_id = $4 AND run_secs IS NOT NULL
               ORDER BY run_id DESC LIMIT 20"#,
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
            job.0,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(secs)
    }
}

/// A run of a company in an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The stream of its events.
    pub stream: StreamKey,
    /// The run.
    pub run_id: RunId,
}

/// The right to change a watch: lost once another process has taken it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WatchLease {
    /// The watch.
    pub id: i64,
    /// Grows with each owner.
    pub fence: i64,
}

/// A watch as those who wait see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchState {
    /// Its id.
    pub id: i64,
    /// By which the run is read.
    pub credential: String,
    /// The run as it was last seen: JSON, as the REST API shows it.
    pub run: Option<String>,
    /// Whether the watch has ended.
    pub is_over: bool,
}

/// A watch that is due.
#[derive(Debug, Clone)]
pub struct WatchedRun {
    /// The right to change it.
    pub lease: WatchLease,
    /// The run.
    pub run_id: RunId,
    /// Its status when it was last seen, as dbt Cloud's number; `None` before the first look.
    pub status: Option<i32>,
    /// Whether it was seen.
    pub is_known: bool,
    /// Whether steps and logs are read too.
    pub is_detailed: bool,
    /// Whether a caller waits.
    pub is_waited: bool,
    /// What the events say about its steps and logs.
    pub steps: Option<Value>,
    /// Bytes of logs in its events.
    pub log_bytes: i64,
    /// How often reading it has failed since it was last seen.
    pub failures: i32,
    /// The usual duration of the job's runs, in seconds.
    pub usual_secs: Option<f64>,
    /// When the watch began.
    pub created_at: DateTime<Utc>,
    /// The database's clock when the lease was taken.
    pub now: DateTime<Utc>,
}
