//! Selects rows: by what the caller may see, and by filters.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, JobId, RequestType, RunId, Surface};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::outcome::Outcome;

/// Which rows of their company a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogVisibility {
    /// All rows.
    All,
    /// Requests made with this key.
    Own(ApiKeyId),
    /// Requests made with this key, and requests to these accounts.
    OwnAndAccounts(ApiKeyId, Vec<AccountId>),
}

/// An outcome, or none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// In flight, or its end is not written yet.
    Open,
    /// Ended with this outcome.
    Ended(Outcome),
}

impl OutcomeFilter {
    /// The spelling of [`Self::Open`]; those of [`Outcome`] complete the list.
    pub const OPEN: &'static str = "open";

    /// Every filter.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Open].into_iter().chain(Outcome::ALL.map(Self::Ended))
    }

    /// Its spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => Self::OPEN,
            Self::Ended(outcome) => outcome.as_str(),
        }
    }
}

/// Conditions that must all hold; `None` matches every row.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Earliest arrival, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Latest arrival, exclusive.
    pub to: Option<DateTime<Utc>>,
    /// The operation.
    pub request_type: Option<RequestType>,
    /// The outcome.
    pub outcome: Option<OutcomeFilter>,
    /// dbt Cloud's last status.
    pub status_code: Option<u16>,
    /// The set of routes.
    pub surface: Option<Surface>,
    /// The caller's API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The account.
    pub account_id: Option<AccountId>,
    /// The job.
    pub job_id: Option<JobId>,
    /// The run.
    pub run_id: Option<RunId>,
}

/// The position of a row in the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Arrival, in microseconds.
    pub started_at: DateTime<Utc>,
    /// The row's UUID.
    pub request_uuid: Uuid,
}

/// Builds a `SELECT` from the log of one company.
pub(super) struct Search(QueryBuilder<Postgres>);

impl Search {
    pub(super) fn new(columns: &str, company: CompanyId, visibility: &LogVisibility) -> Self {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(columns);
        query.push(" FROM request_log WHERE company_id = ").push_bind(company.0);
        match visibility {
            LogVisibility::All => {}
            LogVisibility::Own(key) => {
                query.push(" AND api_key_id = ").push_bind(key.0);
            }
            LogVisibility::OwnAndAccounts(key, accounts) => {
                let accounts: Vec<i64> = accounts.iter().map(|account| account.0).collect();
                query.push(" AND (api_key_id = ").push_bind(key.0);
                query.push(" OR account_id = ANY(").push_bind(accounts).push("))");
            }
        }
        Self(query)
    }

    pub(super) fn matching(&mut self, filter: &LogFilter) {
        let LogFilter {
            from,
            to,
            request_type,
            outcome,
            status_code,
            surface,
            api_key_id,
            account_id,
            job_id,
            run_id,
        } = *filter;
        self.and("started_at >= ", from);
        self.and("started_at < ", to);
        self.and("request_type = ", request_type.map(RequestType::as_str));
        match outcome {
            None => {}
            Some(OutcomeFilter::Open) => {
                self.0.push(" AND finished_at IS NULL");
            }
            Some(OutcomeFilter::Ended(outcome)) => {
                self.and("outcome = ", Some(outcome.as_str()));
                if outcome != Outcome::Succeeded {
                    // The predicate of the index `request_log_failed`, so that Postgres uses it.
                    self.0.push(" AND outcome <> 'succeeded'");
                }
            }
        }
        self.and("status_code = ", status_code.map(i32::from));
        self.and("surface = ", surface.map(Surface::as_str));
        self.and("api_key_id = ", api_key_id.map(i64::from));
        self.and("account_id = ", account_id.map(i64::from));
        self.and("job_id = ", job_id.map(i64::from));
        self.and("run_id = ", run_id.map(i64::from));
    }

    pub(super) fn with_uuid(&mut self, request_uuid: Uuid) {
        self.and("request_uuid = ", Some(request_uuid));
    }

    pub(super) fn newest_first(&mut self, after: Option<LogPosition>, limit: u64) {
        if let Some(LogPosition {
            started_at,
            request_uuid,
        }) = after
        {
            // Implied by the second condition, but needed to skip the partitions of later days.
            self.and("started_at <= ", Some(started_at));
            self.and("(started_at, request_uuid) < (", Some(started_at));
            self.0.push(", ").push_bind(request_uuid).push(")");
        }
        self.0
            .push(" ORDER BY started_at DESC, request_uuid DESC LIMIT ")
            .push_bind(limit.cast_signed());
    }

    pub(super) fn into_query(self) -> QueryBuilder<Postgres> {
        self.0
    }

    fn and<T>(&mut self, condition: &'static str, value: Option<T>)
    where
        T: 'static + Send + sqlx::Encode<'static, Postgres> + sqlx::Type<Postgres>,
    {
        if let Some(value) = value {
            self.0.push(" AND ").push(condition).push_bind(value);
        }
    }
}
