//! Accounts whose events a caller follows: their new runs are looked for.

use std::time::Duration;

use model::{AccountId, CompanyId, RunId};

use super::event::StreamKey;
use super::reader::RunEvents;
use crate::error::StorageError;

/// A stream that a caller listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenedStream {
    /// Which.
    pub key: StreamKey,
    /// The credential by which new runs are looked for.
    pub credential: String,
    /// The newest run that was seen; `None` at first.
    pub newest_run: Option<RunId>,
}

impl RunEvents {
    /// Asks that new runs of the stream's account are looked for, for that long, by that credential.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn listen(&self, stream: &StreamKey, credential: &str, lasting: Duration) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE run_stream SET listened_until = greatest(listened_until, clock_timestamp() + make_interval(secs => $4)),
                 newest_run_id = CASE WHEN listened_until > clock_timestamp() THEN newest_run_id END,
                 credential = CASE WHEN listened_until > clock_timestamp() THEN coalesce(credential, $5) ELSE $5 END
             WHERE company_id = $1 AND host = $2 AND account_id = $3",
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
            lasting.as_secs_f64(),
            credential,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes streams that a caller listens to and whose new runs are due to be looked for.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn claim_listened(&self, limit: i64, pause: Duration) -> Result<Vec<ListenedStream>, StorageError> {
        let rows = sqlx::query!(
            r#"UPDATE run_stream SET next_look_at = clock_timestamp() + make_interval(secs => $2)
               WHERE id IN (
                   SELECT id FROM run_stream
                   WHERE listened_until > clock_timestamp() AND next_look_at <= clock_timestamp() AND credential IS NOT NULL
                   ORDER BY next_look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
               RETURNING company_id, host, account_id, credential AS "credential!", newest_run_id"#,
            limit,
            pause.as_secs_f64(),
        )
        .fetch_all(&self.pool)
        .await?;
        let streams = rows.into_iter().map(|row| ListenedStream {
            key: StreamKey {
                company_id: CompanyId(row.company_id),
                host: row.host,
                account_id: AccountId(row.account_id),
            },
            credential: row.credential,
            newest_run: row.newest_run_id.map(RunId),
        });
        Ok(streams.collect())
    }

    /// Records the newest run that was seen.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn saw_newest(&self, stream: &StreamKey, run: RunId) -> Result<(), StorageError> {
        sqlx::query!(
            "UPDATE run_stream SET newest_run_id = greatest(newest_run_id, $4)
             WHERE company_id = $1 AND host = $2 AND account_id = $3",
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
            run.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
