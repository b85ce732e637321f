//! Budgets in Postgres.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use model::{AccountId, ClientType};

use super::ledger::{BudgetKey, BudgetUse, RateLedger};
use super::limits::BudgetLimits;
use super::slice::{
    BudgetReading, BudgetState, PROBE_LEASE_US, PROBE_PAUSE_US, PerClass, RAMP_STAGE_US, Slice, micros,
};
use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;

/// [`RateLedger`] in Postgres, by its clock.
#[derive(Debug, Clone)]
pub struct PgRateLedger {
    pool: BoundedPool,
}

impl PgRateLedger {
    /// The budgets of that database.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
        }
    }

    /// Takes a slice, if there is a row. One statement, which waits for no other but that of the same row. Where it had to
    /// wait, Postgres evaluates the sub-select again with the newer row and the clock of that moment.
    async fn lease_of_row(
        &self,
        key: &BudgetKey,
        limits: &BudgetLimits,
        wanted: PerClass,
    ) -> Result<Option<Slice>, StorageError> {
        let row = sqlx::query!(
            r#"UPDATE rate_budget b
               SET (tat, background_tat, probe_until, granted_changes, granted_reads, granted_background, next_in_us,
                    leased_at) = (
                   SELECT
                       CASE mode WHEN 'open' THEN now + (per * burst - left_level) * us ELSE b.tat END,
                       CASE mode WHEN 'open' THEN now + (guarantee * guaranteed_per - left_background) * us
                           ELSE b.background_tat END,
                       CASE WHEN mode = 'probe' AND changes + reads + background > 0 THEN now + probe_lease * us
                           ELSE b.probe_until END,
                       changes, reads, background + extra,
                       CASE mode
                           WHEN 'cools' THEN (extract(epoch FROM b.cooldown_until - now) * 1000000)::bigint
                           WHEN 'probe' THEN CASE WHEN changes = want_changes AND reads = want_reads
                               AND background = want_background THEN 0 ELSE probe_pause END
                           ELSE coalesce(greatest(least(
                               CASE WHEN changes < want_changes THEN cost - left_level END,
                               CASE WHEN reads < want_reads OR (background + extra < want_background AND guarantee = 0)
                                   THEN floor + cost - left_level END,
                               CASE WHEN background + extra < want_background AND guarantee > 0
                                   THEN greatest(guaranteed_per - least(left_background, guaranteed_per),
                                       reserve * per + cost - left_level) END), 0), 0)
                       END,
                       now
                   FROM (SELECT clock_timestamp() AS now, interval '1 microsecond' AS us,
                           $4::bigint AS per, $5::bigint AS burst, $6::bigint AS reserve, $7::bigint AS guarantee,
                           $8::bigint AS guaranteed_per, $9::bigint AS want_changes, $10::bigint AS want_reads,
                           $11::bigint AS want_background, $12::bigint AS probe_lease, $13::bigint AS probe_pause,
                           $14::bigint AS ramp_stage) given,
                   LATERAL (SELECT
                       CASE WHEN b.cooldown_until > now THEN 'cools' WHEN b.is_probing THEN 'probe' ELSE 'open' END AS mode,
                       b.probe_until IS NULL OR b.probe_until <= now AS may_probe,
                       per * CASE (extract(epoch FROM now - b.ramp_from) * 1000000)::bigint / ramp_stage
                           WHEN 0 THEN 8 WHEN 1 THEN 4 WHEN 2 THEN 2 ELSE 1 END AS cost,
                       per * burst - least(greatest((extract(epoch FROM b.tat - now) * 1000000)::bigint, 0), per * burst)
                           AS level,
                       guarantee * guaranteed_per - least(greatest(
                           (extract(epoch FROM b.background_tat - now) * 1000000)::bigint, 0), guarantee * guaranteed_per)
                           AS background_level) held,
                   LATERAL (SELECT CASE mode
                       WHEN 'open' THEN least(want_changes, level / cost)
                       WHEN 'probe' THEN CASE WHEN may_probe THEN least(want_changes, 1) ELSE 0 END
                       ELSE 0 END AS changes) first,
                   LATERAL (SELECT CASE mode
                       WHEN 'open' THEN least(least(want_background, background_level / guaranteed_per),
                           greatest(level - changes * cost - reserve * per, 0) / cost)
                       WHEN 'probe' THEN CASE WHEN may_probe AND want_changes = 0 AND want_reads = 0
                           THEN least(want_background, 1) ELSE 0 END
                       ELSE 0 END AS background) second,
                   LATERAL (SELECT
                       background_level - CASE mode WHEN 'open' THEN background * guaranteed_per ELSE 0 END
                           AS left_background,
                       level - (changes + background) * cost AS level_for_reads) guaranteed,
                   LATERAL (SELECT (reserve + left_background / guaranteed_per) * per AS floor) kept,
                   LATERAL (SELECT CASE mode
                       WHEN 'open' THEN least(want_reads, greatest(level_for_reads - floor, 0) / cost)
                       WHEN 'probe' THEN CASE WHEN may_probe AND want_changes = 0 THEN least(want_reads, 1) ELSE 0 END
                       ELSE 0 END AS reads) third,
                   LATERAL (SELECT CASE WHEN mode = 'open' AND reads = want_reads
                       THEN least(want_background - background, greatest(level_for_reads - reads * cost - floor, 0) / cost)
                       ELSE 0 END AS extra) fourth,
                   LATERAL (SELECT level_for_reads - (reads + extra) * cost AS left_level) rest
               )
               WHERE host = $1 AND account_id = $2 AND api = $3
               RETURNING granted_changes, granted_reads, granted_background, next_in_us, is_probing,
                   coalesce((extract(epoch FROM cooldown_until - leased_at) * 1000000)::bigint, 0) AS "cooldown_us!""#,
            key.host,
            key.account.0,
            key.api.as_str(),
            limits.interval,
            limits.burst,
            limits.reserve,
            limits.background,
            limits.background_interval,
            wanted.changes,
            wanted.reads,
            wanted.background,
            PROBE_LEASE_US,
            PROBE_PAUSE_US,
            RAMP_STAGE_US,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| {
            let granted = PerClass {
                changes: row.granted_changes,
                reads: row.granted_reads,
                background: row.granted_background,
            };
            Slice {
                granted,
                is_probe: row.is_probing && granted.sum() > 0,
                cooldown: micros(row.cooldown_us),
                next_in: micros(row.next_in_us),
            }
        }))
    }

    /// Removes the rows of accounts that were not used for a day.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn remove_unused(&self) -> Result<u64, StorageError> {
        let done = sqlx::query!(
            "DELETE FROM rate_budget WHERE leased_at < clock_timestamp() - interval '1 day'
                 AND (cooldown_until IS NULL OR cooldown_until < clock_timestamp())",
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}

#[async_trait]
impl RateLedger for PgRateLedger {
    async fn lease(&self, key: &BudgetKey, limits: &BudgetLimits, wanted: PerClass) -> Result<Slice, StorageError> {
        if let Some(slice) = self.lease_of_row(key, limits, wanted).await? {
            return Ok(slice);
        }
        sqlx::query!(
            "INSERT INTO rate_budget (host, account_id, api) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            key.host,
            key.account.0,
            key.api.as_str(),
        )
        .execute(&self.pool)
        .await?;
        Ok(self.lease_of_row(key, limits, wanted).await?.unwrap_or_default())
    }

    async fn cool_down(&self, key: &BudgetKey, duration: Duration, says: bool) -> Result<Duration, StorageError> {
        let left = sqlx::query_scalar!(
            r#"INSERT INTO rate_budget (host, account_id, api, cooldown_until, is_probing)
               VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), true)
               ON CONFLICT (host, account_id, api) DO UPDATE
                   SET cooldown_until = CASE
                           WHEN rate_budget.cooldown_until > clock_timestamp() AND NOT $5 THEN rate_budget.cooldown_until
                           WHEN rate_budget.cooldown_until > clock_timestamp()
                               THEN greatest(rate_budget.cooldown_until, excluded.cooldown_until)
                           ELSE excluded.cooldown_until END,
                       is_probing = true, probe_until = NULL
               RETURNING (extract(epoch FROM cooldown_until - clock_timestamp()) * 1000000)::bigint AS "left!""#,
            key.host,
            key.account.0,
            key.api.as_str(),
            duration.as_secs_f64(),
            says,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(micros(left))
    }

    async fn end_probe(&self, key: &BudgetKey, limits: &BudgetLimits, answered: bool) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE rate_budget SET probe_until = NULL, is_probing = NOT $4,
                 ramp_from = CASE WHEN $4 THEN clock_timestamp() ELSE ramp_from END,
                 tat = CASE WHEN $4 THEN clock_timestamp() + make_interval(secs => $5) ELSE tat END
             WHERE host = $1 AND account_id = $2 AND api = $3 AND is_probing AND cooldown_until <= clock_timestamp()",
            key.host,
            key.account.0,
            key.api.as_str(),
            answered,
            micros(limits.capacity()).as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn cooldowns(&self) -> Result<Vec<(BudgetKey, Duration)>, StorageError> {
        let rows = sqlx::query!(
            r#"SELECT host, account_id, api,
                   (extract(epoch FROM cooldown_until - clock_timestamp()) * 1000000)::bigint AS "left!"
               FROM rate_budget WHERE cooldown_until > clock_timestamp()"#,
        )
        .fetch_all(&self.pool)
        .await?;
        let open = rows.into_iter().filter_map(|row| {
            let key = BudgetKey {
                api: api_named(&row.api)?,
                host: row.host,
                account: AccountId(row.account_id),
            };
            Some((key, micros(row.left)))
        });
        Ok(open.collect())
    }

    async fn read(&self, key: &BudgetKey, limits: &BudgetLimits) -> Result<Option<BudgetReading>, StorageError> {
        let row = sqlx::query!(
            r#"SELECT (extract(epoch FROM tat - now) * 1000000)::bigint AS "tat!",
                   (extract(epoch FROM background_tat - now) * 1000000)::bigint AS "background_tat!",
                   (extract(epoch FROM cooldown_until - now) * 1000000)::bigint AS cooldown_until, is_probing,
                   (extract(epoch FROM ramp_from - now) * 1000000)::bigint AS ramp_from
               FROM rate_budget, (SELECT clock_timestamp() AS now) clock
               WHERE host = $1 AND account_id = $2 AND api = $3"#,
            key.host,
            key.account.0,
            key.api.as_str(),
        )
        .fetch_optional(&self.pool)
        .await?;
        // Relative to now.
        Ok(row.map(|row| {
            let state = BudgetState {
                tat: row.tat,
                background_tat: row.background_tat,
                cooldown_until: row.cooldown_until,
                is_probing: row.is_probing,
                probe_until: None,
                ramp_from: row.ramp_from,
            };
            limits.reading(&state, 0)
        }))
    }

    async fn used(&self, account: AccountId, now: DateTime<Utc>) -> Result<Vec<BudgetUse>, StorageError> {
        super::usage::of_last_minute(&self.pool, account, now).await
    }
}

fn api_named(name: &str) -> Option<ClientType> {
    ClientType::ALL.into_iter().find(|api| api.as_str() == name)
}
