//! The request log: list, get, summarize, export.

mod export;

use chrono::{DateTime, TimeDelta, Utc};
use futures::Stream;
use model::{CompanyId, RequestType, Role};
use storage::{LogFilter, LogPage, LogPosition, LogRecord, LogVisibility, PageLimit, Resolution, TypeSummary};
use uuid::Uuid;

use self::export::Export;
use crate::{ClientError, DbtClient};

/// The request log of the caller's company, for one request.
///
/// An admin sees all rows of the company; with an account list only those of its own key and of these accounts. A viewer
/// or operator sees the rows of its own key.
pub struct RequestLogService(DbtClient);

/// Statistics of logged requests by type.
#[derive(Debug)]
pub struct LogSummary {
    /// The start, inclusive.
    pub from: DateTime<Utc>,
    /// The end, exclusive.
    pub to: DateTime<Utc>,
    /// The most frequent type first.
    pub types: Vec<TypeSummary>,
}

impl DbtClient {
    /// The company's request log.
    pub fn request_logs(self) -> RequestLogService {
        RequestLogService(self)
    }
}

impl RequestLogService {
    /// The default number of rows in a page.
    pub const DEFAULT_PAGE_SIZE: u32 = 100;
    /// The maximum number of rows in a page.
    pub const MAX_PAGE_SIZE: u32 = 1000;
    /// The longest time that a summary covers.
    pub const SUMMARY_MAX: TimeDelta = TimeDelta::hours(24);
    /// The time that a summary covers by default.
    pub const SUMMARY_DEFAULT: TimeDelta = TimeDelta::hours(1);
    /// The size at which a page ends early.
    const PAGE_MAX_BYTES: usize = 8 << 20;

    /// The rows after `after`, newest first; `page_size` is limited to [`Self::MAX_PAGE_SIZE`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(
        self,
        filter: &LogFilter,
        after: Option<LogPosition>,
        page_size: u32,
    ) -> Result<LogPage, ClientError> {
        self.0
            .admit_local(RequestType::ListRequestLogs, filter.account_id)
            .await?;
        let limit = PageLimit {
            rows: page_size.clamp(1, Self::MAX_PAGE_SIZE),
            bytes: Self::PAGE_MAX_BYTES,
        };
        let logs = &self.0.shared.records.request_logs;
        Ok(logs
            .page(self.company(), &self.visibility(), filter, after, limit)
            .await?)
    }

    /// One row; and, for a request whose answer was lost, what became of the run.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::UnknownRequest`].
    pub async fn get(self, request_uuid: Uuid) -> Result<(LogRecord, Option<Resolution>), ClientError> {
        self.0.admit_local(RequestType::GetRequestLog, None).await?;
        let records = &self.0.shared.records;
        let logs = &records.request_logs;
        let found = logs.get(self.company(), &self.visibility(), request_uuid).await?;
        let found = found.ok_or(ClientError::UnknownRequest(request_uuid))?;
        let starts_run = RequestType::STARTS_RUN
            .iter()
            .any(|each| each.as_str() == found.request_type);
        let resolution = if starts_run {
            records.triggers.resolution(request_uuid).await?
        } else {
            None
        };
        Ok((found, resolution))
    }

    /// Counts and durations of the requests between `filter.from` and `filter.to`. Without `to`: until now; without
    /// `from`: the hour before.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Window`].
    pub async fn summarize(self, filter: &LogFilter) -> Result<LogSummary, ClientError> {
        self.0
            .admit_local(RequestType::SummarizeRequestLogs, filter.account_id)
            .await?;
        let to = filter.to.unwrap_or_else(|| self.0.shared.clock.now());
        let from = filter.from.unwrap_or(to - Self::SUMMARY_DEFAULT);
        if !(TimeDelta::zero()..=Self::SUMMARY_MAX).contains(&(to - from)) {
            return Err(ClientError::Window);
        }
        let window = LogFilter {
            from: Some(from),
            to: Some(to),
            ..filter.clone()
        };
        let logs = &self.0.shared.records.request_logs;
        let types = logs.summary(self.company(), &self.visibility(), &window).await?;
        Ok(LogSummary { from, to, types })
    }

    /// All rows, newest first. An aborted stream ends with an error.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::ShareExhausted`].
    pub async fn export(
        self,
        filter: LogFilter,
    ) -> Result<impl Stream<Item = Result<LogRecord, ClientError>> + Send + use<>, ClientError> {
        self.0
            .admit_local(RequestType::ExportRequestLogs, filter.account_id)
            .await?;
        let shared = &self.0.shared;
        let permit = shared.shares.exports.try_take(&self.0.owner(), 1)?;
        let export = Export {
            logs: shared.records.request_logs.clone(),
            company: self.company(),
            visibility: self.visibility(),
            filter,
            stall: shared.settings.export_stall,
        };
        export.start(permit).await
    }

    fn company(&self) -> CompanyId {
        self.0.caller.company_id
    }

    fn visibility(&self) -> LogVisibility {
        let caller = &self.0.caller;
        match (caller.role, &caller.accounts) {
            (Role::Viewer | Role::Operator, _) => LogVisibility::Own(caller.api_key_id),
            (Role::Admin, Some(accounts)) => LogVisibility::OwnAndAccounts(caller.api_key_id, accounts.clone()),
            (Role::Admin, None) => LogVisibility::All,
        }
    }
}
