//! Reading the request log: pages, single rows, summaries. Each by company, and by what its caller may see.
//!
//! On connections of its own, few and with a statement timeout, so that no search ever stands between a request and its
//! key or its row.

mod filter;
mod record;
mod summary;

use std::time::Duration;

use chrono::TimeDelta;
use futures::TryStreamExt as _;
use model::CompanyId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

pub use filter::{LogFilter, LogPosition, LogVisibility, OutcomeFilter};
pub use record::LogRecord;
pub use summary::{Percentiles, TypeSummary};

use crate::{Database, StorageError};
use filter::Search;
use record::{COLUMNS, RecordRow};

/// How the log is read.
#[derive(Debug, Clone, Copy)]
pub struct LogReadSettings {
    /// At most so many connections at once, from 1.
    pub connections: u32,
    /// How long a reader waits for one of them.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
}

/// How large a page may become: it ends with whichever comes first, and holds one row at least.
#[derive(Debug, Clone, Copy)]
pub struct PageLimit {
    /// Rows, from 1.
    pub rows: u32,
    /// What the rows' texts and JSON take, in bytes.
    pub bytes: usize,
}

/// Rows of the log, the newest first.
#[derive(Debug)]
pub struct LogPage {
    /// The rows.
    pub records: Vec<LogRecord>,
    /// Where the next page goes on; `None` on the last.
    pub next: Option<LogPosition>,
}

/// The table `request_log`, for reading.
#[derive(Debug, Clone)]
pub struct RequestLogs {
    pool: PgPool,
}

impl RequestLogs {
    /// The log of that database.
    pub fn new(database: &Database, settings: &LogReadSettings) -> Self {
        let options = database.pool().connect_options().as_ref().clone();
        let options = options.application_name("dbt-gateway log reader").options([
            (
                "statement_timeout",
                settings.statement_timeout.as_millis().to_string().as_str(),
            ),
            ("default_transaction_read_only", "on"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            .connect_lazy_with(options);
        Self { pool }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the connections; waits for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The company's rows that `sight` and `filter` let through and that come after `after`, the newest first.
    ///
    /// Rows that arrive meanwhile change no page that is still to come, unless they belong there: a request is on
    /// record at the moment when it arrived, a read only when it has ended.
    ///
    /// # Errors
    /// [`StorageError::TooSlow`], [`StorageError::Query`].
    pub async fn page(
        &self,
        company: CompanyId,
        sight: &LogVisibility,
        filter: &LogFilter,
        after: Option<LogPosition>,
        limit: PageLimit,
    ) -> Result<LogPage, StorageError> {
        let mut search = Search::of(COLUMNS, company, sight);
        search.matching(filter);
        search.newest_first(after, u64::from(limit.rows) + 1);
        let mut query = search.into_query();
        // Not kept as a prepared statement: with the values in sight the planner leaves out whole days.
        let mut rows = query.build_query_as::<RecordRow>().persistent(false).fetch(&self.pool);
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await.map_err(StorageError::slow_or)? {
            if records.len() == limit.rows as usize || bytes >= limit.bytes {
                let next = records.last().map(LogRecord::position);
                return Ok(LogPage { records, next });
            }
            let record = LogRecord::from(row);
            bytes += record.weight();
            records.push(record);
        }
        Ok(LogPage { records, next: None })
    }

    /// The company's row of that name, if `sight` lets it through. Looks at the one millisecond that the UUID tells,
    /// hence into one partition; a UUID that is not of version 7 is no row's name.
    ///
    /// # Errors
    /// [`StorageError::TooSlow`], [`StorageError::Query`].
    pub async fn get(
        &self,
        company: CompanyId,
        sight: &LogVisibility,
        request_uuid: Uuid,
    ) -> Result<Option<LogRecord>, StorageError> {
        let Some(moment) = moment_of(request_uuid) else {
            return Ok(None);
        };
        let mut search = Search::of(COLUMNS, company, sight);
        search.matching(&LogFilter {
            from: Some(moment),
            to: Some(moment + TimeDelta::milliseconds(1)),
            ..LogFilter::default()
        });
        search.named(request_uuid);
        let mut query = search.into_query();
        let row = query.build_query_as::<RecordRow>().persistent(false);
        let row = row.fetch_optional(&self.pool).await.map_err(StorageError::slow_or)?;
        Ok(row.map(LogRecord::from))
    }
}

/// The millisecond in which the request of that name arrived.
fn moment_of(request_uuid: Uuid) -> Option<chrono::DateTime<chrono::Utc>> {
    if request_uuid.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanos) = request_uuid.get_timestamp()?.to_unix();
    chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos / 1_000_000 * 1_000_000)
}
