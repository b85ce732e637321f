//! Takes watches that are due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{AccountId, CompanyId, RunId};
use serde_json::Value;

use super::watch::{RunWatches, WatchLease, WatchedRun};
use crate::error::StorageError;
use crate::run_events::StreamKey;

/// Runs that one list of dbt Cloud can hold: of one company and account, by one credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchGroup {
    /// The stream of their events.
    pub stream: StreamKey,
    /// The name of the credential.
    pub credential: String,
}

/// Watches that this process has taken.
#[derive(Debug)]
pub struct Claim {
    /// What they have in common.
    pub group: WatchGroup,
    /// The number of open watches of the group.
    pub open: i64,
    /// The runs, at most 100.
    pub runs: Vec<WatchedRun>,
}

struct ClaimedRow {
    id: i64,
    fence: i64,
    run_id: i64,
    status: Option<i32>,
    is_known: Option<bool>,
    is_detailed: Option<bool>,
    is_waited: Option<bool>,
    steps: Option<Value>,
    log_bytes: i64,
    failures: i32,
    usual_secs: Option<f64>,
    created_at: DateTime<Utc>,
    now: Option<DateTime<Utc>>,
}

impl RunWatches {
    /// The groups that have a watch that is due, except `busy` ones, the longest due first.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn due_groups(&self, limit: i64, busy: &[WatchGroup]) -> Result<Vec<WatchGroup>, StorageError> {
        let companies: Vec<i64> = busy.iter().map(|group| group.stream.company_id.0).collect();
        let hosts: Vec<String> = busy.iter().map(|group| group.stream.host.clone()).collect();
        let accounts: Vec<i64> = busy.iter().map(|group| group.stream.account_id.0).collect();
        let credentials: Vec<String> = busy.iter().map(|group| group.credential.clone()).collect();
        let rows = sqlx::query!(
            "SELECT company_id, host, account_id, credential FROM run_watch
             WHERE ended_at IS NULL AND next_look_at <= clock_timestamp()
                 AND (lease_until <= clock_timestamp()
                     OR lease_owner IN (SELECT id FROM instance WHERE ended_at IS NOT NULL))
                 AND (company_id, host, account_id, credential) NOT IN (
                     SELECT * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[]))
             GROUP BY company_id, host, account_id, credential ORDER BY min(next_look_at) LIMIT $1",
            limit,
            &companies,
            &hosts,
            &accounts,
            &credentials,
        )
        .fetch_all(&self.pool)
        .await?;
        let groups = rows.into_iter().map(|row| WatchGroup {
            stream: StreamKey {
                company_id: CompanyId(row.company_id),
                host: row.host,
                account_id: AccountId(row.account_id),
            },
            credential: row.credential,
        });
        Ok(groups.collect())
    }

    /// Takes up to 100 watches of a group: those that are due, and those that are due within `soon`, since one list holds
    /// them all.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn claim(&self, group: WatchGroup, soon: Duration, lease: Duration) -> Result<Claim, StorageError> {
        let stream = &group.stream;
        let open = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM run_watch
               WHERE company_id = $1 AND host = $2 AND account_id = $3 AND ended_at IS NULL"#,
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
        )
        .fetch_one(&self.pool)
        .await?;
        let rows = sqlx::query_as!(
            ClaimedRow,
            r#"UPDATE run_watch SET fence = fence + 1, lease_owner = $5,
                   lease_until = clock_timestamp() + make_interval(secs => $7)
               WHERE id IN (
                   SELECT id FROM run_watch
                   WHERE company_id = $1 AND host = $2 AND account_id = $3 AND credential = $4 AND ended_at IS NULL
                       AND next_look_at <= clock_timestamp() + make_interval(secs => $6)
                       AND (lease_until <= clock_timestamp()
                           OR lease_owner IN (SELECT id FROM instance WHERE ended_at IS NOT NULL))
                   ORDER BY next_look_at LIMIT 100 FOR UPDATE SKIP LOCKED)
               RETURNING id, fence, run_id, status, run IS NOT NULL AS is_known,
                   detailed_until > clock_timestamp() AS is_detailed, waited_until > clock_timestamp() AS is_waited,
                   steps, log_bytes, failures, usual_secs, created_at, clock_timestamp() AS now"#,
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
            group.credential,
            self.instance.map(|id| id.0),
            soon.as_secs_f64(),
            lease.as_secs_f64(),
        )
        .fetch_all(&self.pool)
        .await?;
        let runs = rows.into_iter().map(|row| WatchedRun {
            lease: WatchLease {
                id: row.id,
                fence: row.fence,
            },
            run_id: RunId(row.run_id),
            status: row.status,
            is_known: row.is_known.unwrap_or_default(),
            is_detailed: row.is_detailed.unwrap_or_default(),
            is_waited: row.is_waited.unwrap_or_default(),
            steps: row.steps,
            log_bytes: row.log_bytes,
            failures: row.failures,
            usual_secs: row.usual_secs,
            created_at: row.created_at,
            now: row.now.unwrap_or(row.created_at),
        });
        Ok(Claim {
            group,
            open,
            runs: runs.collect(),
        })
    }
}
