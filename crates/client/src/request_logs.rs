//! The request log: what a caller may read of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::Stream;
use model::{CompanyId, RequestType, Role};
use storage::{LogFilter, LogPage, LogPosition, LogRecord, LogVisibility, PageLimit, TypeSummary};
use uuid::Uuid;

use crate::log_export::Export;
use crate::{ClientError, DbtClient};

/// The request log of the caller's company, for one request.
///
/// An admin sees every row of the company; a viewer or operator those of its own key's requests. An admin whose key has
/// an account list sees those of its own requests and those about these accounts.
pub struct RequestLogService(DbtClient);

/// Requests on record by type.
#[derive(Debug)]
pub struct LogSummary {
    /// They arrived then or later.
    pub from: DateTime<Utc>,
    /// They arrived earlier.
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
    /// How many rows a page holds when nobody says.
    pub const DEFAULT_PAGE_SIZE: u32 = 100;
    /// How many it holds at most.
    pub const MAX_PAGE_SIZE: u32 = 1000;
    /// The longest time that is summed up.
    pub const SUMMARY_MAX: TimeDelta = TimeDelta::hours(24);
    /// The time that is summed up when nobody says.
    pub const SUMMARY_DEFAULT: TimeDelta = TimeDelta::hours(1);
    /// A page ends early where its rows take so much, in bytes.
    const PAGE_MAX_BYTES: usize = 8 << 20;

    /// The rows that come after `after`, the newest first; `page_size` is cut to [`Self::MAX_PAGE_SIZE`].
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
            .admit_own(RequestType::ListRequestLogs, filter.account_id)
            .await?;
        let limit = PageLimit {
            rows: page_size.clamp(1, Self::MAX_PAGE_SIZE),
            bytes: Self::PAGE_MAX_BYTES,
        };
        let logs = &self.0.shared.records.request_logs;
        Ok(logs.page(self.company(), &self.sight(), filter, after, limit).await?)
    }

    /// One row.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::UnknownRequest`] where there is none that this caller may see.
    pub async fn get(self, request_uuid: Uuid) -> Result<LogRecord, ClientError> {
        self.0.admit_own(RequestType::GetRequestLog, None).await?;
        let logs = &self.0.shared.records.request_logs;
        let found = logs.get(self.company(), &self.sight(), request_uuid).await?;
        found.ok_or(ClientError::UnknownRequest(request_uuid))
    }

    /// Counts and durations of the requests between `filter.from` and `filter.to`. Without `to`: until now; without
    /// `from`: the hour before.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Window`] where the time is longer than [`Self::SUMMARY_MAX`], or ends before it
    /// begins.
    pub async fn summarize(self, filter: &LogFilter) -> Result<LogSummary, ClientError> {
        let about = filter.account_id;
        self.0.admit_own(RequestType::SummarizeRequestLogs, about).await?;
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
        let types = logs.summary(self.company(), &self.sight(), &window).await?;
        Ok(LogSummary { from, to, types })
    }

    /// The rows, as many as there are, the newest first. A stream that is cut off ends with an error.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::TooManyExports`].
    pub async fn export(
        self,
        filter: LogFilter,
    ) -> Result<impl Stream<Item = Result<LogRecord, ClientError>> + Send + use<>, ClientError> {
        self.0
            .admit_own(RequestType::ExportRequestLogs, filter.account_id)
            .await?;
        let shared = &self.0.shared;
        let place = Arc::clone(&shared.exports).try_acquire_owned();
        let place = place.map_err(|_| ClientError::TooManyExports)?;
        let export = Export {
            logs: shared.records.request_logs.clone(),
            company: self.company(),
            sight: self.sight(),
            filter,
            stall: shared.settings.export_stall,
        };
        export.start(place).await
    }

    fn company(&self) -> CompanyId {
        self.0.caller.company_id
    }

    fn sight(&self) -> LogVisibility {
        let caller = &self.0.caller;
        match (caller.role, &caller.accounts) {
            (Role::Viewer | Role::Operator, _) => LogVisibility::Own(caller.api_key_id),
            (Role::Admin, Some(accounts)) => LogVisibility::OwnAndAccounts(caller.api_key_id, accounts.clone()),
            (Role::Admin, None) => LogVisibility::All,
        }
    }
}
