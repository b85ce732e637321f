//! Which rows: what the caller may see, and what it asks for.

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, JobId, RequestType, RunId, Surface};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::request_log::row::Outcome;

/// Which of its company's rows a caller sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogVisibility {
    /// All of them.
    All,
    /// Those of its own requests.
    Own(ApiKeyId),
    /// Those of its own requests, and those about these accounts.
    OwnAndAccounts(ApiKeyId, Vec<AccountId>),
}

/// How a request ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// Under way; or its end is not written yet.
    Open,
    /// Ended so.
    Ended(Outcome),
}

impl OutcomeFilter {
    /// The spelling for requests under way, beside those of [`Outcome`].
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

/// What is asked for; a field that is `None` lets everything through.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Arrived then or later.
    pub from: Option<DateTime<Utc>>,
    /// Arrived earlier.
    pub to: Option<DateTime<Utc>>,
    /// The operation.
    pub request_type: Option<RequestType>,
    /// How it ended.
    pub outcome: Option<OutcomeFilter>,
    /// dbt Cloud's last status.
    pub status_code: Option<u16>,
    /// The set of routes it came through.
    pub surface: Option<Surface>,
    /// The key that asked.
    pub api_key_id: Option<ApiKeyId>,
    /// The account it is about.
    pub account_id: Option<AccountId>,
    /// The job it is about.
    pub job_id: Option<JobId>,
    /// The run it is about.
    pub run_id: Option<RunId>,
}

/// The place of a row in the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// When the request arrived, to the microsecond.
    pub started_at: DateTime<Utc>,
    /// Its name.
    pub request_uuid: Uuid,
}

/// A `SELECT` from the log of one company, as it grows.
pub(super) struct Search(QueryBuilder<Postgres>);

impl Search {
    /// `columns` of what the caller may see.
    pub(super) fn of(columns: &str, company: CompanyId, sight: &LogVisibility) -> Self {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(columns);
        query.push(" FROM request_log WHERE company_id = ").push_bind(company.0);
        match sight {
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
                    // In these words the index of failures says what it holds.
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

    pub(super) fn named(&mut self, request_uuid: Uuid) {
        self.and("request_uuid = ", Some(request_uuid));
    }

    pub(super) fn newest_first(&mut self, after: Option<LogPosition>, limit: u64) {
        if let Some(LogPosition {
            started_at,
            request_uuid,
        }) = after
        {
            // The first condition says nothing new, but by it later days are left out.
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
