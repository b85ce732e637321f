//! Pages of rows, newest first, and single rows.

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use model::CompanyId;
use uuid::Uuid;

use super::filter::{LogFilter, LogPosition, LogVisibility, Search};
use super::reader::RequestLogs;
use super::record::{COLUMNS, LogRecord, RecordRow};
use crate::error::StorageError;

/// Where a page ends: at the first limit that is reached, but not before one row.
#[derive(Debug, Clone, Copy)]
pub struct PageLimit {
    /// Number of rows, from 1.
    pub rows: u32,
    /// Size of the rows' texts and JSON, in bytes.
    pub bytes: usize,
}

/// Rows of the log, newest first.
#[derive(Debug)]
pub struct LogPage {
    /// The rows.
    pub records: Vec<LogRecord>,
    /// The start of the next page; `None` on the last.
    pub next: Option<LogPosition>,
}

impl RequestLogs {
    /// The company's rows within `visibility` and `filter` that follow `after`, newest first.
    ///
    /// Rows are ordered by arrival. A row that is written later appears on a later page only if it belongs there.
    ///
    /// # Errors
    /// [`StorageError::TooSlow`], [`StorageError::Query`].
    pub async fn page(
        &self,
        company: CompanyId,
        visibility: &LogVisibility,
        filter: &LogFilter,
        after: Option<LogPosition>,
        limit: PageLimit,
    ) -> Result<LogPage, StorageError> {
        let mut search = Search::new(COLUMNS, company, visibility);
        search.matching(filter);
        search.newest_first(after, u64::from(limit.rows) + 1);
        let mut query = search.into_query();
        // Not prepared: with the values known the planner skips whole partitions.
        let mut rows = query.build_query_as::<RecordRow>().persistent(false).fetch(self.pool());
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await.map_err(StorageError::slow_or)? {
            if records.len() == limit.rows as usize || bytes >= limit.bytes {
                let next = records.last().map(LogRecord::position);
                return Ok(LogPage { records, next });
            }
            let record = LogRecord::from(row);
            bytes += record.size();
            records.push(record);
        }
        Ok(LogPage { records, next: None })
    }

    /// The company's row with that UUID, if within `visibility`. Searches the millisecond in the UUID, hence one
    /// partition; UUIDs of other versions than 7 have no row.
    ///
    /// # Errors
    /// [`StorageError::TooSlow`], [`StorageError::Query`].
    pub async fn get(
        &self,
        company: CompanyId,
        visibility: &LogVisibility,
        request_uuid: Uuid,
    ) -> Result<Option<LogRecord>, StorageError> {
        let Some(arrival) = arrival_of(request_uuid) else {
            return Ok(None);
        };
        let mut search = Search::new(COLUMNS, company, visibility);
        search.matching(&LogFilter {
            from: Some(arrival),
            to: Some(arrival + TimeDelta::milliseconds(1)),
            ..LogFilter::default()
        });
        search.with_uuid(request_uuid);
        let mut query = search.into_query();
        let row = query.build_query_as::<RecordRow>().persistent(false);
        let row = row.fetch_optional(self.pool()).await.map_err(StorageError::slow_or)?;
        Ok(row.map(LogRecord::from))
    }
}

/// The millisecond in a UUID of version 7.
fn arrival_of(request_uuid: Uuid) -> Option<DateTime<Utc>> {
    if request_uuid.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanos) = request_uuid.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos / 1_000_000 * 1_000_000)
}
