//! The request log: what a caller may read of it.

use storage::{LogFilter, LogPage, LogPosition, LogRecord, LogSight, PageLimit};
use uuid::Uuid;

use model::{CompanyId, RequestType, Role};

use crate::{ClientError, DbtClient};

/// The request log of the caller's company, for one request.
///
/// An admin sees every row of the company; a viewer or operator those of its own key's requests. An admin whose key has
/// an account list sees those of its own requests and those about these accounts.
pub struct RequestLogDesk(DbtClient);

impl DbtClient {
    /// The company's request log.
    pub fn request_logs(self) -> RequestLogDesk {
        RequestLogDesk(self)
    }
}

impl RequestLogDesk {
    /// How many rows a page holds when nobody says.
    pub const DEFAULT_PAGE_SIZE: u32 = 100;
    /// How many it holds at most.
    pub const MAX_PAGE_SIZE: u32 = 1000;
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

    fn company(&self) -> CompanyId {
        self.0.caller.company_id
    }

    fn sight(&self) -> LogSight {
        let caller = &self.0.caller;
        match (caller.role, &caller.accounts) {
            (Role::Viewer | Role::Operator, _) => LogSight::Own(caller.api_key_id),
            (Role::Admin, Some(accounts)) => LogSight::OwnAndAccounts(caller.api_key_id, accounts.clone()),
            (Role::Admin, None) => LogSight::All,
        }
    }
}
