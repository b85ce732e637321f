//! Callers that wait for runs, and the runs that are cancelled since a caller left or its time was up.

use std::time::Duration;

use model::{AccountId, CompanyId, RunId};
use uuid::Uuid;

use super::watch::{RunKey, RunWatches};
use crate::error::StorageError;
use crate::run_events::StreamKey;

/// A caller that waits.
#[derive(Debug, Clone)]
pub struct NewWait {
    /// The request.
    pub request_uuid: Uuid,
    /// The stream of the run's events.
    pub stream: StreamKey,
    /// The run; `None`: that of the trigger attempt of the request.
    pub run_id: Option<RunId>,
    /// By which the run is cancelled.
    pub credential: String,
    /// How long it waits from now.
    pub timeout: Duration,
    /// Whether the run is cancelled if it has not ended by then.
    pub cancels_late: bool,
}

/// Why a run is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// Its caller's time was up.
    Deadline,
    /// Its caller disconnected.
    Disconnect,
}

/// A run that is to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunToCancel {
    /// The request that waited.
    pub request_uuid: Uuid,
    /// The run.
    pub run: RunKey,
    /// By which it is cancelled.
    pub credential: String,
    /// Why.
    pub reason: CancelReason,
}

/// How long after a deadline the run of a wait is cancelled whose process has died.
const DEAD_WAIT_SECS: f64 = 5.0;

impl RunWatches {
    /// Records a caller that waits.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn begin_wait(&self, wait: &NewWait) -> Result<(), StorageError> {
        self.insert_wait(wait, None).await
    }

    /// Records that a caller has disconnected whose wait was not recorded before: its run is cancelled after `grace`.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn disconnected_before(&self, wait: &NewWait, grace: Duration) -> Result<(), StorageError> {
        self.insert_wait(wait, Some(grace)).await
    }

    async fn insert_wait(&self, wait: &NewWait, cancel_in: Option<Duration>) -> Result<(), StorageError> {
        sqlx::query!(
            "INSERT INTO run_wait (request_uuid, company_id, host, account_id, run_id, credential, deadline, cancels_late,
                 cancel_at, unless_waited)
             VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7), $8,
                 clock_timestamp() + make_interval(secs => $9), $9::float8 IS NOT NULL)
             ON CONFLICT (request_uuid) DO NOTHING",
            wait.request_uuid,
            wait.stream.company_id.0,
            wait.stream.host,
            wait.stream.account_id.0,
            wait.run_id.map(|id| id.0),
            wait.credential,
            wait.timeout.as_secs_f64(),
            wait.cancels_late,
            cancel_in.map(|grace| grace.as_secs_f64()),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a wait that cancels nothing.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn end_wait(&self, request: Uuid) -> Result<(), StorageError> {
        sqlx::query!("DELETE FROM run_wait WHERE request_uuid = $1", request)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Records that the run of a wait is to be cancelled: at once, or after `grace` unless another caller waits for it then.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn cancel_after_wait(&self, request: Uuid, grace: Option<Duration>) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE run_wait SET cancel_at = clock_timestamp() + make_interval(secs => $2), unless_waited = $3
             WHERE request_uuid = $1",
            request,
            grace.unwrap_or_default().as_secs_f64(),
            grace.is_some(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The run is asked for again: it is not cancelled because of callers that disconnected.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn keep_run(&self, run: &RunKey) -> Result<(), StorageError> {
        sqlx::query!(
            "DELETE FROM run_wait w
             WHERE company_id = $1 AND host = $2 AND account_id = $3 AND cancel_at IS NOT NULL AND unless_waited
                 AND (run_id = $4 OR (run_id IS NULL AND EXISTS (
                     SELECT 1 FROM trigger_attempt a WHERE a.request_uuid = w.request_uuid AND a.run_id = $4)))",
            run.stream.company_id.0,
            run.stream.host,
            run.stream.account_id.0,
            run.run_id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes runs that are to be cancelled now, for that long. A wait whose run was never started is removed.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn claim_cancels(&self, limit: i64, lease: Duration) -> Result<Vec<RunToCancel>, StorageError> {
        let rows = sqlx::query!(
            r#"WITH due AS (
                   SELECT w.request_uuid, coalesce(w.run_id, (
                       SELECT a.run_id FROM trigger_attempt a WHERE a.request_uuid = w.request_uuid)) AS run_id
                   FROM run_wait w
                   WHERE (w.cancel_at IS NOT NULL OR w.cancels_late)
                       AND coalesce(w.cancel_at, w.deadline)
                           <= clock_timestamp() - CASE WHEN w.cancel_at IS NULL THEN make_interval(secs => $3)
                               ELSE interval '0' END
                       AND w.lease_until <= clock_timestamp()
                   ORDER BY coalesce(w.cancel_at, w.deadline) LIMIT $1 FOR UPDATE SKIP LOCKED)
               UPDATE run_wait w SET lease_until = clock_timestamp() + make_interval(secs => $2)
               FROM due WHERE w.request_uuid = due.request_uuid
               RETURNING w.request_uuid, w.company_id, w.host, w.account_id, due.run_id, w.credential, w.unless_waited,
                   w.unless_waited AND EXISTS (
                       SELECT 1 FROM run_wait other
                       WHERE other.company_id = w.company_id AND other.host = w.host AND other.account_id = w.account_id
                           AND other.run_id = due.run_id AND other.request_uuid <> w.request_uuid
                           AND other.cancel_at IS NULL AND other.deadline > clock_timestamp()) AS "is_waited!""#,
            limit,
            lease.as_secs_f64(),
            DEAD_WAIT_SECS,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut runs = Vec::new();
        for row in rows {
            match row.run_id {
                Some(run) if !row.is_waited => runs.push(RunToCancel {
                    request_uuid: row.request_uuid,
                    run: RunKey {
                        stream: StreamKey {
                            company_id: CompanyId(row.company_id),
                            host: row.host,
                            account_id: AccountId(row.account_id),
                        },
                        run_id: RunId(run),
                    },
                    credential: row.credential,
                    reason: if row.unless_waited {
                        CancelReason::Disconnect
                    } else {
                        CancelReason::Deadline
                    },
                }),
                _ => self.end_wait(row.request_uuid).await?,
            }
        }
        Ok(runs)
    }
}
