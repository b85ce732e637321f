//! Closes the open rows of dead processes, unless the database's clock has just jumped: then every heartbeat looks old.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::bounded_pool::{BoundedPool, BoundedTransaction};
use crate::database::Database;
use crate::error::StorageError;

/// The deadline of a sweep: it may close many rows.
const LIMIT: Duration = Duration::from_mins(1);

/// Closes open rows as `abandoned`: their outcome is unknown. If the process still closes such a row later, that
/// overwrites it.
#[derive(Debug)]
pub struct AbandonedSweep {
    pool: BoundedPool,
    dead_after: Duration,
    clock: ClockWatch,
}

impl AbandonedSweep {
    /// A process is dead once it has ended, or has had no heartbeat for `dead_after`.
    pub fn new(database: &Database, dead_after: Duration) -> Self {
        Self {
            pool: database.pool().with_limit(LIMIT),
            dead_after,
            clock: ClockWatch::new(dead_after),
        }
    }

    /// Closes the open rows of dead processes, and returns their number. After a jump of the database's clock only those
    /// of ended processes, until every living one has had the time for a heartbeat.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn run(&mut self) -> Result<u64, StorageError> {
        let Self {
            pool,
            dead_after,
            clock,
        } = self;
        let dead_after = dead_after.as_secs_f64();
        let sweep = async |mut transaction: BoundedTransaction| {
            // The same moment as in the next statement: the start of the transaction.
            let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
                .fetch_one(&mut *transaction)
                .await?;
            let is_steady = clock.is_steady(now, Instant::now());
            if !is_steady {
                tracing::warn!("the database's clock jumped: silent processes are not taken for dead for a while");
            }
            // Starts from the open rows, which are few, not from the processes. One without a row was removed as dead.
            let done = sqlx::query!(
                "WITH opened AS MATERIALIZED (
                     SELECT DISTINCT instance_id AS id FROM request_log
                     WHERE finished_at IS NULL AND instance_id IS NOT NULL),
                 dead AS MATERIALIZED (
                     SELECT opened.id FROM opened LEFT JOIN instance USING (id)
                     WHERE instance.id IS NULL OR ended_at IS NOT NULL
                         OR ($2 AND heartbeat_at < now() - make_interval(secs => $1)))
                 UPDATE request_log SET finished_at = now(), outcome = 'abandoned'
                 WHERE finished_at IS NULL AND instance_id IN (SELECT id FROM dead)",
                dead_after,
                is_steady,
            )
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(done.rows_affected())
        };
        pool.transaction(sweep).await
    }
}

/// Compares the database's clock with the monotonic one of this process.
#[derive(Debug)]
struct ClockWatch {
    dead_after: Duration,
    last: Option<(DateTime<Utc>, Instant)>,
    /// Until then no silence is believed.
    held_until: Option<Instant>,
}

impl ClockWatch {
    fn new(dead_after: Duration) -> Self {
        Self {
            dead_after,
            last: None,
            held_until: None,
        }
    }

    /// Whether the silence of a process can be measured by the database's clock, which says `now` at `at`. A clock that
    /// went back is harmless: it delays the sweep.
    fn is_steady(&mut self, now: DateTime<Utc>, at: Instant) -> bool {
        if let Some((earlier, earlier_at)) = self.last.replace((now, at)) {
            let by_database = (now - earlier).to_std().unwrap_or_default();
            let by_process = at.saturating_duration_since(earlier_at);
            if by_database > by_process + self.dead_after / 4 {
                self.held_until = Some(at + self.dead_after);
            }
        }
        self.held_until.is_none_or(|until| at >= until)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const DEAD_AFTER: Duration = Duration::from_secs(30);

    #[test]
    fn a_jump_ahead_holds_the_sweep_until_living_processes_have_beaten_again() {
        let mut clock = ClockWatch::new(DEAD_AFTER);
        let (now, at) = (DateTime::UNIX_EPOCH, Instant::now());
        let later = |by_database, by_process| {
            (
                now + TimeDelta::seconds(by_database),
                at + Duration::from_secs(by_process),
            )
        };
        let mut steady = |(now, at)| clock.is_steady(now, at);
        assert!(steady(later(0, 0)), "nothing to compare with");
        assert!(steady(later(37, 30)), "within a quarter of the time");
        assert!(!steady(later(3637, 60)), "an hour ahead");
        assert!(!steady(later(3657, 80)), "held");
        assert!(steady(later(3667, 90)), "a living process has beaten since");
        assert!(steady(later(0, 120)), "an hour back");
        assert!(steady(later(30, 150)));
    }
}
