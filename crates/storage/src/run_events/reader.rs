//! Reads events.

use chrono::{DateTime, Utc};
use model::{EnvironmentId, JobId, ProjectId, RunId};

use super::event::{EventFilter, EventKind, NewRunEvent, RunEvent, StreamKey};
use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;

/// The events in Postgres. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RunEvents {
    pub(super) pool: BoundedPool,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream's id.
    pub id: i64,
    /// The number of its newest event; 0: none yet.
    pub last_seq: i64,
}

/// Events of a stream after a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The oldest first.
    pub events: Vec<RunEvent>,
    /// Up to which number the stream was read.
    pub read_to: i64,
    /// Events after the number are missing, since they are not kept any more: the number of the oldest that is kept.
    pub gap: Option<i64>,
}

struct EventRow {
    stream_id: i64,
    seq: i64,
    at: DateTime<Utc>,
    kind: String,
    run_id: i64,
    project_id: Option<i64>,
    job_id: Option<i64>,
    environment_id: Option<i64>,
    credential: String,
    data: String,
}

impl EventRow {
    /// `None` for a kind that only a newer version knows.
    fn event(self) -> Option<RunEvent> {
        Some(RunEvent {
            seq: self.seq,
            at: self.at,
            event: NewRunEvent {
                kind: EventKind::from_name(&self.kind)?,
                run_id: RunId(self.run_id),
                project_id: self.project_id.map(ProjectId),
                job_id: self.job_id.map(JobId),
                environment_id: self.environment_id.map(EnvironmentId),
                credential: self.credential,
                data: self.data,
            },
        })
    }
}

impl RunEvents {
    /// The events of that database.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
        }
    }

    /// Where the stream stands; it is created if it is new.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn position(&self, stream: &StreamKey) -> Result<StreamPosition, StorageError> {
        let known = sqlx::query_as!(
            StreamPosition,
            "SELECT id, last_seq FROM run_stream WHERE company_id = $1 AND host = $2 AND account_id = $3",
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        if let Some(known) = known {
            return Ok(known);
        }
        let position = sqlx::query_as!(
            StreamPosition,
            "INSERT INTO run_stream (company_id, host, account_id) VALUES ($1, $2, $3)
             ON CONFLICT (company_id, host, account_id) DO UPDATE SET host = excluded.host
             RETURNING id, last_seq",
            stream.company_id.0,
            stream.host,
            stream.account_id.0,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(position)
    }

    /// At most `limit` events that `filter` includes, after `after` and up to `until`.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn page(
        &self,
        stream: i64,
        filter: &EventFilter,
        (after, until): (i64, i64),
        limit: i64,
    ) -> Result<EventPage, StorageError> {
        // Numbers have no gaps, so the oldest one that is kept follows the newest one that was dropped.
        let oldest = sqlx::query_scalar!(
            r#"SELECT coalesce((SELECT min(seq) FROM run_event WHERE stream_id = $1),
                   (SELECT last_seq + 1 FROM run_stream WHERE id = $1), 1) AS "oldest!""#,
            stream
        )
        .fetch_one(&self.pool)
        .await?;
        let rows = sqlx::query_as!(
            EventRow,
            "SELECT stream_id, seq, at, kind, run_id, project_id, job_id, environment_id, credential, data
             FROM run_event
             WHERE stream_id = $1 AND seq > $2 AND seq <= $3
                 AND ($4::bigint IS NULL OR run_id = $4) AND ($5::bigint IS NULL OR project_id = $5)
                 AND ($6::bigint IS NULL OR job_id = $6) AND ($7::bigint IS NULL OR environment_id = $7)
                 AND ($8::text[] IS NULL OR credential = ANY ($8))
             ORDER BY seq LIMIT $9",
            stream,
            after,
            until,
            filter.run_id.map(|id| id.0),
            filter.project_id.map(|id| id.0),
            filter.job_id.map(|id| id.0),
            filter.environment_id.map(|id| id.0),
            filter.credentials.as_deref(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let is_whole = i64::try_from(rows.len()).is_ok_and(|count| count < limit);
        let read_to = match rows.last() {
            Some(row) if !is_whole => row.seq,
            _ => until.max(after),
        };
        Ok(EventPage {
            events: rows.into_iter().filter_map(EventRow::event).collect(),
            read_to,
            gap: (after + 1 < oldest && after < until).then_some(oldest),
        })
    }

    /// The newest events of several streams, each after a number: at most `limit` in all, the streams one after another.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn newest(&self, after: &[StreamPosition], limit: i64) -> Result<Vec<(i64, RunEvent)>, StorageError> {
        let ids: Vec<i64> = after.iter().map(|position| position.id).collect();
        let seqs: Vec<i64> = after.iter().map(|position| position.last_seq).collect();
        let rows = sqlx::query_as!(
            EventRow,
            r#"SELECT event.stream_id, event.seq, event.at, event.kind, event.run_id, event.project_id, event.job_id,
                   event.environment_id, event.credential, event.data
               FROM unnest($1::bigint[], $2::bigint[]) AS known (id, seq)
               JOIN run_stream stream ON stream.id = known.id AND stream.last_seq > known.seq
               JOIN run_event event ON event.stream_id = known.id AND event.seq > known.seq
               ORDER BY event.stream_id, event.seq LIMIT $3"#,
            &ids,
            &seqs,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let events = rows.into_iter().filter_map(|row| Some((row.stream_id, row.event()?)));
        Ok(events.collect())
    }
}
