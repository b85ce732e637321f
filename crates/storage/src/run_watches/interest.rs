//! Who wants a run to be watched.

use std::time::Duration;

use super::watch::{RunKey, RunWatches, WatchState};
use crate::error::StorageError;

/// For how long from now a run is watched, and how closely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interest {
    /// It is watched at least that long.
    pub watched: Duration,
    /// A caller waits for its end that long.
    pub waited: Duration,
    /// A caller listens to its steps and logs that long.
    pub detailed: Duration,
}

impl RunWatches {
    /// Watches a run, or extends its watch. A watch that ended although the run had not begins again.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn watch(&self, run: &RunKey, credential: &str, interest: Interest) -> Result<WatchState, StorageError> {
        let watched = interest.watched.max(interest.waited).max(interest.detailed);
        let row = sqlx::query_as!(
            WatchState,
            r#"INSERT INTO run_watch AS w (company_id, host, account_id, run_id, credential, watched_until, waited_until,
                   detailed_until)
               VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6),
                   clock_timestamp() + make_interval(secs => $7), clock_timestamp() + make_interval(secs => $8))
               ON CONFLICT (company_id, host, account_id, run_id) DO UPDATE SET
                   watched_until = greatest(w.watched_until, excluded.watched_until),
                   waited_until = greatest(w.waited_until, excluded.waited_until),
                   detailed_until = greatest(w.detailed_until, excluded.detailed_until),
                   credential = CASE WHEN w.ended_at IS NULL THEN w.credential ELSE excluded.credential END,
                   next_look_at = CASE
                       WHEN w.ended_at IS NULL
                           AND (w.waited_until > clock_timestamp() OR excluded.waited_until <= clock_timestamp())
                           AND (w.detailed_until > clock_timestamp() OR excluded.detailed_until <= clock_timestamp())
                           THEN w.next_look_at
                       ELSE clock_timestamp() END,
                   ended_at = CASE WHEN w.status IN (10, 20, 30) THEN w.ended_at END
               RETURNING id, credential, run, ended_at IS NOT NULL AS "is_over!""#,
            run.stream.company_id.0,
            run.stream.host,
            run.stream.account_id.0,
            run.run_id.0,
            credential,
            watched.as_secs_f64(),
            interest.waited.as_secs_f64(),
            interest.detailed.as_secs_f64(),
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row)
    }

    /// Watches runs that were found, unless they are watched already.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn watch_found(&self, runs: &[RunKey], credential: &str, watched: Duration) -> Result<(), StorageError> {
        let Some(first) = runs.first() else { return Ok(()) };
        let ids: Vec<i64> = runs.iter().map(|run| run.run_id.0).collect();
        sqlx::query!(
            "INSERT INTO run_watch (company_id, host, account_id, run_id, credential, watched_until)
             SELECT $1, $2, $3, run, $5, clock_timestamp() + make_interval(secs => $6) FROM unnest($4::bigint[]) AS run
             ON CONFLICT (company_id, host, account_id, run_id) DO NOTHING",
            first.stream.company_id.0,
            first.stream.host,
            first.stream.account_id.0,
            &ids,
            credential,
            watched.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Extends the listening to steps and logs of these watches.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn keep_detailed(&self, ids: &[i64], lasting: Duration) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE run_watch SET detailed_until = clock_timestamp() + make_interval(secs => $2),
                 watched_until = greatest(watched_until, clock_timestamp() + make_interval(secs => $2))
             WHERE id = ANY ($1) AND ended_at IS NULL",
            ids,
            lasting.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
