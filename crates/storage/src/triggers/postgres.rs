//! Attempts in Postgres.

use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, ApiKeyId, InstanceId, JobId, RunId};
use uuid::Uuid;

use super::attempt::{Attempt, AttemptEnd, AttemptLease, NewAttempt, RecentAttempt, Resolution};
use super::attempt_row::{AttemptRow, watermark};
use super::ledger::{Begun, KeyBegun, TriggerLedger};
use crate::bounded_pool::{BoundedPool, BoundedTransaction};
use crate::database::Database;
use crate::error::StorageError;
use crate::idempotency_keys::{NewIdempotencyKey, StoredAnswer};

/// [`TriggerLedger`] in Postgres.
#[derive(Debug, Clone)]
pub struct PgTriggerLedger {
    pub(super) pool: BoundedPool,
    instance: Option<InstanceId>,
    /// For how long the runs of attempts are watched.
    watched: Option<Duration>,
}

impl PgTriggerLedger {
    /// The ledger of that database, with leases of this process.
    pub fn new(database: &Database, instance: Option<InstanceId>) -> Self {
        Self {
            pool: database.pool().clone(),
            instance,
            watched: None,
        }
    }

    /// The same, where the run of each attempt is watched for at most that long.
    #[must_use]
    pub fn watching_runs(self, watched: Duration) -> Self {
        Self {
            watched: Some(watched),
            ..self
        }
    }

    async fn insert(&self, transaction: &mut BoundedTransaction, new: &NewAttempt) -> Result<Attempt, StorageError> {
        let row = sqlx::query!(
            r#"WITH newest AS (
                   SELECT run_id, ended_at FROM trigger_attempt WHERE host = $5 AND account_id = $6 AND run_id IS NOT NULL
                   ORDER BY run_id DESC LIMIT 1)
               INSERT INTO trigger_attempt (request_uuid, company_id, api_key_id, credential, host, account_id, job_id, kind,
                   retried_run_id, fingerprint, cause_hash, cause_start_hash, marker, deadline, lease_owner, lease_until,
                   is_sent, watermark_run_id, watermark_known_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                   clock_timestamp() + make_interval(secs => $14), $15, clock_timestamp() + make_interval(secs => $16), $17,
                   (SELECT run_id FROM newest), (SELECT ended_at FROM newest))
               RETURNING id, fence, sent_at, deadline, watermark_run_id, watermark_known_at, clock_timestamp() AS "now!""#,
            new.request_uuid,
            new.company_id.0,
            new.api_key_id.0,
            new.credential,
            new.host,
            new.account_id.0,
            new.job_id.map(|id| id.0),
            new.kind.as_str(),
            new.retried_run_id.map(|id| id.0),
            &new.fingerprint[..],
            new.cause_hash.as_ref().map(|hash| &hash[..]),
            new.cause_start_hash.as_ref().map(|hash| &hash[..]),
            new.marker,
            new.horizon.as_secs_f64(),
            self.instance.map(|id| id.0),
            new.lease.as_secs_f64(),
            new.is_sent,
        )
        .fetch_one(&mut **transaction)
        .await?;
        let lease = AttemptLease {
            id: row.id,
            fence: row.fence,
        };
        let watermark = watermark(row.watermark_run_id, row.watermark_known_at);
        Ok(Attempt {
            watermark,
            ..new.stored(lease, row.sent_at, row.deadline, row.now)
        })
    }
}

#[async_trait]
impl TriggerLedger for PgTriggerLedger {
    async fn begin(&self, attempt: &NewAttempt, key: Option<&NewIdempotencyKey>) -> Result<Begun, StorageError> {
        let work = async |mut transaction: BoundedTransaction| {
            if let Some(key) = key
                && let Some(earlier) =
                    crate::idempotency_keys::begin(&mut transaction, key, attempt.lease, true).await?
            {
                return Ok(Begun::Repeat(earlier));
            }
            let stored = self.insert(&mut transaction, attempt).await?;
            transaction.commit().await?;
            Ok(Begun::New(Box::new(stored)))
        };
        self.pool.transaction(work).await
    }

    async fn renew(&self, lease: AttemptLease, by: Duration) -> Result<bool, StorageError> {
        let done = sqlx::query!(
            "UPDATE trigger_attempt SET lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND fence = $2 AND ended_at IS NULL",
            lease.id,
            lease.fence,
            by.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn mark_sent(&self, lease: AttemptLease, horizon: Duration) -> Result<bool, StorageError> {
        let done = sqlx::query!(
            "UPDATE trigger_attempt SET is_sent = true, sent_at = clock_timestamp(),
                 deadline = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND fence = $2 AND state = 'sending'",
            lease.id,
            lease.fence,
            horizon.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn mark_ambiguous(&self, lease: AttemptLease) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE trigger_attempt SET state = 'ambiguous' WHERE id = $1 AND fence = $2 AND state = 'sending'",
            lease.id,
            lease.fence,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn end(
        &self,
        lease: AttemptLease,
        end: &AttemptEnd,
        answer: Option<&StoredAnswer>,
    ) -> Result<bool, StorageError> {
        let (is_probable, reason, candidates) = match end {
            AttemptEnd::Started { is_probable, .. } => (*is_probable, None, None),
            AttemptEnd::Unresolved { reason, candidates } => {
                let candidates: Vec<i64> = candidates.iter().map(|run| run.0).collect();
                (
                    false,
                    Some(reason.chars().take(1000).collect::<String>()),
                    Some(candidates),
                )
            }
            _ => (false, None, None),
        };
        let work = async |mut transaction: BoundedTransaction| {
            let ended = sqlx::query!(
                "UPDATE trigger_attempt a SET state = $3, run_id = $4, is_probable = $5, reason = $6, candidates = $7,
                     ended_at = clock_timestamp(), lease_until = clock_timestamp()
                 WHERE id = $1 AND fence = $2 AND ended_at IS NULL
                     AND ($3 <> 'started' OR NOT EXISTS (
                         SELECT 1 FROM trigger_attempt other
                         WHERE other.host = a.host AND other.account_id = a.account_id AND other.run_id = $4))
                 RETURNING request_uuid",
                lease.id,
                lease.fence,
                end.state(),
                end.run().map(|run| run.0),
                is_probable,
                reason,
                candidates.as_deref(),
            )
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(ended) = ended else { return Ok(false) };
            if let (Some(_), Some(watched)) = (end.run(), self.watched) {
                sqlx::query!(
                    "INSERT INTO run_watch (company_id, host, account_id, run_id, credential, job_id, watched_until)
                     SELECT company_id, host, account_id, run_id, credential, job_id,
                         clock_timestamp() + make_interval(secs => $2)
                     FROM trigger_attempt WHERE request_uuid = $1
                     ON CONFLICT (company_id, host, account_id, run_id) DO NOTHING",
                    ended.request_uuid,
                    watched.as_secs_f64(),
                )
                .execute(&mut *transaction)
                .await?;
            }
            let forgets = *end == AttemptEnd::Failed;
            if answer.is_some() || forgets {
                crate::idempotency_keys::end(&mut transaction, ended.request_uuid, answer).await?;
            }
            transaction.commit().await?;
            Ok(true)
        };
        self.pool.transaction(work).await
    }

    async fn postpone(&self, lease: AttemptLease, pause: Duration) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE trigger_attempt SET state = 'ambiguous', looks = looks + 1, lease_until = clock_timestamp(),
                 next_look_at = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND fence = $2 AND ended_at IS NULL",
            lease.id,
            lease.fence,
            pause.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn claim_due(&self, limit: i64, lease: Duration) -> Result<Vec<Attempt>, StorageError> {
        let rows = sqlx::query_as!(
            AttemptRow,
            r#"UPDATE trigger_attempt SET state = 'ambiguous', fence = fence + 1, lease_owner = $1,
                   lease_until = clock_timestamp() + make_interval(secs => $2)
               WHERE id IN (
                   SELECT id FROM trigger_attempt
                   WHERE ended_at IS NULL AND next_look_at <= clock_timestamp()
                       AND (lease_until <= clock_timestamp()
                           OR lease_owner IN (SELECT id FROM instance WHERE ended_at IS NOT NULL))
                   ORDER BY next_look_at LIMIT $3 FOR UPDATE SKIP LOCKED)
               RETURNING id, fence, request_uuid, company_id, credential, host, account_id, job_id, kind, retried_run_id,
                   cause_hash, cause_start_hash, marker, watermark_run_id, watermark_known_at, is_sent, sent_at, deadline,
                   looks, clock_timestamp() AS "now!""#,
            self.instance.map(|id| id.0),
            lease.as_secs_f64(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Attempt::from).collect())
    }

    async fn claim(&self, request: Uuid, lease: Duration) -> Result<Option<Attempt>, StorageError> {
        let row = sqlx::query_as!(
            AttemptRow,
            r#"UPDATE trigger_attempt SET state = 'ambiguous', ended_at = NULL, reason = NULL, candidates = NULL,
                   fence = fence + 1, lease_owner = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
               WHERE request_uuid = $3 AND state IN ('sending', 'ambiguous', 'unresolved')
                   AND (lease_until <= clock_timestamp()
                       OR lease_owner IN (SELECT id FROM instance WHERE ended_at IS NOT NULL))
               RETURNING id, fence, request_uuid, company_id, credential, host, account_id, job_id, kind, retried_run_id,
                   cause_hash, cause_start_hash, marker, watermark_run_id, watermark_known_at, is_sent, sent_at, deadline,
                   looks, clock_timestamp() AS "now!""#,
            self.instance.map(|id| id.0),
            lease.as_secs_f64(),
            request,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Attempt::from))
    }

    async fn resolution(&self, request: Uuid) -> Result<Option<Resolution>, StorageError> {
        let row = sqlx::query!(
            "SELECT state, run_id, is_probable, candidates, reason, deadline FROM trigger_attempt
             WHERE request_uuid = $1 AND state NOT IN ('sending', 'confirmed', 'failed')",
            request,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Resolution {
            state: if row.state == "ambiguous" {
                "looking".to_owned()
            } else {
                row.state
            },
            run_id: row.run_id.map(RunId),
            probable: row.is_probable,
            candidates: row.candidates.unwrap_or_default().into_iter().map(RunId).collect(),
            reason: row.reason,
            deadline: row.deadline,
        }))
    }

    async fn attempted(&self, host: &str, account: AccountId, runs: &[RunId]) -> Result<Vec<RunId>, StorageError> {
        let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
        let rows = sqlx::query_scalar!(
            r#"SELECT run_id AS "run_id!" FROM trigger_attempt
               WHERE host = $1 AND account_id = $2 AND run_id = ANY ($3)"#,
            host,
            account.0,
            &ids,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(RunId).collect())
    }

    async fn recent(
        &self,
        host: &str,
        account: AccountId,
        job: JobId,
        since: Duration,
        request: Uuid,
    ) -> Result<Vec<RecentAttempt>, StorageError> {
        let rows = sqlx::query!(
            "SELECT request_uuid, run_id FROM trigger_attempt
             WHERE host = $1 AND account_id = $2 AND job_id = $3 AND request_uuid <> $5 AND is_sent
                 AND sent_at > clock_timestamp() - make_interval(secs => $4) AND state NOT IN ('failed', 'not_started')
             ORDER BY sent_at DESC LIMIT 100",
            host,
            account.0,
            job.0,
            since.as_secs_f64(),
            request,
        )
        .fetch_all(&self.pool)
        .await?;
        let recent = rows.into_iter().map(|row| RecentAttempt {
            request_uuid: row.request_uuid,
            run_id: row.run_id.map(RunId),
        });
        Ok(recent.collect())
    }

    async fn same_recently(
        &self,
        key: ApiKeyId,
        host: &str,
        account: AccountId,
        fingerprint: [u8; 32],
        since: Duration,
    ) -> Result<Option<RecentAttempt>, StorageError> {
        let row = sqlx::query!(
            "SELECT request_uuid, run_id FROM trigger_attempt
             WHERE host = $1 AND account_id = $2 AND api_key_id = $3 AND fingerprint = $4
                 AND sent_at > clock_timestamp() - make_interval(secs => $5) AND state NOT IN ('failed', 'not_started')
             ORDER BY sent_at DESC LIMIT 1",
            host,
            account.0,
            key.0,
            &fingerprint[..],
            since.as_secs_f64(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| RecentAttempt {
            request_uuid: row.request_uuid,
            run_id: row.run_id.map(RunId),
        }))
    }

    async fn begin_key(
        &self,
        key: &NewIdempotencyKey,
        lease: Duration,
        may_take_over: bool,
    ) -> Result<KeyBegun, StorageError> {
        let work = async |mut transaction: BoundedTransaction| {
            let earlier = crate::idempotency_keys::begin(&mut transaction, key, lease, may_take_over).await?;
            if let Some(earlier) = earlier {
                return Ok(KeyBegun::Repeat(earlier));
            }
            transaction.commit().await?;
            Ok(KeyBegun::New)
        };
        self.pool.transaction(work).await
    }

    async fn end_key(&self, request: Uuid, answer: Option<&StoredAnswer>) -> Result<(), StorageError> {
        let work = async |mut transaction: BoundedTransaction| {
            crate::idempotency_keys::end(&mut transaction, request, answer).await?;
            transaction.commit().await?;
            Ok(())
        };
        self.pool.transaction(work).await
    }

    async fn leave_key(&self, request: Uuid) -> Result<(), StorageError> {
        crate::idempotency_keys::leave(&self.pool, request).await
    }

    async fn lock_job(
        &self,
        host: &str,
        account: AccountId,
        job: JobId,
        owner: Uuid,
        lease: Duration,
    ) -> Result<bool, StorageError> {
        super::job_locks::lock(&self.pool, host, account, job, owner, lease).await
    }

    async fn unlock_job(&self, host: &str, account: AccountId, job: JobId, owner: Uuid) -> Result<(), StorageError> {
        super::job_locks::unlock(&self.pool, host, account, job, owner).await
    }
}
