//! Records what a look has seen, with its events, in one transaction.

use std::collections::HashSet;
use std::time::Duration;

use model::{EnvironmentId, JobId, ProjectId};
use serde_json::Value;

use super::watch::{RunWatches, WatchLease};
use crate::bounded_pool::BoundedTransaction;
use crate::error::StorageError;
use crate::run_events::{NewRunEvent, StreamKey, append, make_ahead};

/// What a look has seen of one run.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The right to change the watch.
    pub lease: WatchLease,
    /// The status, as dbt Cloud's number.
    pub status: Option<i32>,
    /// The run: JSON, as the REST API shows it.
    pub run: String,
    /// The run's job.
    pub job_id: Option<JobId>,
    /// The run's project.
    pub project_id: Option<ProjectId>,
    /// The run's environment.
    pub environment_id: Option<EnvironmentId>,
    /// What the events say about its steps and logs from now on.
    pub steps: Option<Value>,
    /// Bytes of logs in its events.
    pub log_bytes: i64,
    /// Whether the run has ended.
    pub is_over: bool,
    /// The seconds from its start to its end, if it succeeded.
    pub run_secs: Option<f64>,
    /// When the next look is due, from now.
    pub next_look: Duration,
    /// What has changed.
    pub events: Vec<NewRunEvent>,
}

impl RunWatches {
    /// Records what was seen and appends the events of the watches that this process still holds. Returns whether there
    /// were any.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn record(&self, stream: &StreamKey, seen: &[Seen]) -> Result<bool, StorageError> {
        match self.record_once(stream, seen).await {
            // The day has no partition yet.
            Err(error) if error.is_check_violation() => {
                make_ahead(&self.pool).await?;
                self.record_once(stream, seen).await
            }
            recorded => recorded,
        }
    }

    async fn record_once(&self, stream: &StreamKey, seen: &[Seen]) -> Result<bool, StorageError> {
        let work = async |mut transaction: BoundedTransaction| {
            let held = update(&mut transaction, seen).await?;
            let held = seen.iter().filter(|seen| held.contains(&seen.lease));
            let events: Vec<NewRunEvent> = held.flat_map(|seen| seen.events.iter().cloned()).collect();
            append(&mut transaction, stream, &events).await?;
            transaction.commit().await?;
            Ok(!events.is_empty())
        };
        self.pool.transaction(work).await
    }

    /// Releases watches whose runs could not be read, each until the next look. Those that are watched no longer end.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn postpone(&self, watches: &[(WatchLease, Duration)]) -> Result<(), StorageError> {
        let (ids, fences) = leases(watches.iter().map(|(lease, _)| *lease));
        let pauses: Vec<f64> = watches.iter().map(|(_, pause)| pause.as_secs_f64()).collect();
        sqlx::query!(
            "UPDATE run_watch w SET failures = failures + 1, lease_until = clock_timestamp(),
                 next_look_at = clock_timestamp() + make_interval(secs => given.pause),
                 ended_at = CASE WHEN watched_until <= clock_timestamp() THEN clock_timestamp() END
             FROM unnest($1::bigint[], $2::bigint[], $3::float8[]) AS given (id, fence, pause)
             WHERE w.id = given.id AND w.fence = given.fence AND w.ended_at IS NULL",
            &ids,
            &fences,
            &pauses,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn leases(of: impl Iterator<Item = WatchLease>) -> (Vec<i64>, Vec<i64>) {
    of.map(|lease| (lease.id, lease.fence)).unzip()
}

/// Returns the leases that still held.
async fn update(transaction: &mut BoundedTransaction, seen: &[Seen]) -> Result<HashSet<WatchLease>, sqlx::Error> {
    let (ids, fences) = leases(seen.iter().map(|seen| seen.lease));
    let ints = |of: fn(&Seen) -> Option<i64>| seen.iter().map(of).collect::<Vec<_>>();
    let statuses: Vec<_> = seen.iter().map(|seen| seen.status).collect();
    let runs: Vec<_> = seen.iter().map(|seen| seen.run.clone()).collect();
    let steps: Vec<_> = seen.iter().map(|seen| seen.steps.clone()).collect();
    let log_bytes: Vec<_> = seen.iter().map(|seen| seen.log_bytes).collect();
    let over: Vec<_> = seen.iter().map(|seen| seen.is_over).collect();
    let secs: Vec<_> = seen.iter().map(|seen| seen.run_secs).collect();
    let pauses: Vec<_> = seen.iter().map(|seen| seen.next_look.as_secs_f64()).collect();
    let rows = sqlx::query!(
        "UPDATE run_watch w SET status = given.status, run = given.run, steps = coalesce(given.steps, w.steps),
             log_bytes = given.log_bytes, job_id = coalesce(given.job_id, w.job_id),
             project_id = coalesce(given.project_id, w.project_id),
             environment_id = coalesce(given.environment_id, w.environment_id), run_secs = given.run_secs,
             usual_secs = CASE WHEN w.seen_at IS NOT NULL THEN w.usual_secs ELSE (
                 SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.run_secs) FROM (
                     SELECT run_secs FROM run_watch other
                     WHERE other.company_id = w.company_id AND other.host = w.host AND other.account_id = w.account_id
                         AND other.job_id = given.job_id AND other.run_secs IS NOT NULL
                     ORDER BY other.run_id DESC LIMIT 20) recent) END,
             seen_at = clock_timestamp(), failures = 0, lease_until = clock_timestamp(),
             next_look_at = clock_timestamp() + make_interval(secs => given.pause),
             ended_at = CASE WHEN given.is_over OR w.watched_until <= clock_timestamp() THEN clock_timestamp() END
         FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::jsonb[], $6::bigint[], $7::bigint[],
             $8::bigint[], $9::bigint[], $10::float8[], $11::boolean[], $12::float8[])
             AS given (id, fence, status, run, steps, log_bytes, job_id, project_id, environment_id, run_secs, is_over, pause)
         WHERE w.id = given.id AND w.fence = given.fence AND w.ended_at IS NULL
         RETURNING w.id, w.fence",
        &ids,
        &fences,
        &statuses as &[Option<i32>],
        &runs,
        &steps as &[Option<Value>],
        &log_bytes,
        &ints(|seen| seen.job_id.map(|id| id.0)) as &[Option<i64>],
        &ints(|seen| seen.project_id.map(|id| id.0)) as &[Option<i64>],
        &ints(|seen| seen.environment_id.map(|id| id.0)) as &[Option<i64>],
        &secs as &[Option<f64>],
        &over,
        &pauses,
    )
    .fetch_all(&mut **transaction)
    .await?;
    let held = rows.into_iter().map(|row| WatchLease {
        id: row.id,
        fence: row.fence,
    });
    Ok(held.collect())
}
