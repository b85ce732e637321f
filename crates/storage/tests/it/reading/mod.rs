//! Reading the request log.

mod searching;
mod visibility;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, FixedClock, JobId, RequestStamp, RequestType, RunId, Surface};
use serde_json::json;
use storage::{
    Closing, FixedColumns, LogFilter, LogPage, LogPosition, LogReadSettings, LogRow, LogVisibility, Outcome, PageLimit,
    RequestLogs, RowLimits,
};
use uuid::Uuid;

use crate::support::{Db, TIMEOUT, noon};

const COMPANY: CompanyId = CompanyId(1);
const KEY: ApiKeyId = ApiKeyId(5);

/// More than any page in these tests.
const NO_BYTE_LIMIT: usize = 1 << 30;

fn reader(db: &Db) -> RequestLogs {
    reader_with(db, TIMEOUT)
}

fn reader_with(db: &Db, statement_timeout: Duration) -> RequestLogs {
    let settings = LogReadSettings {
        connections: 2,
        acquire_timeout: TIMEOUT,
        statement_timeout,
    };
    RequestLogs::new(&db.database, &settings)
}

/// A row that differs from a successful `get_run` of company 1 at noon by `change`.
fn row(change: impl FnOnce(&mut RowPlan)) -> LogRow {
    let mut plan = RowPlan::default();
    change(&mut plan);
    plan.row()
}

struct RowPlan {
    at: DateTime<Utc>,
    surface: Surface,
    company: CompanyId,
    request_type: RequestType,
    outcome: Option<Outcome>,
    status_code: Option<u16>,
    key: Option<ApiKeyId>,
    account: Option<AccountId>,
    job: Option<JobId>,
    run: Option<RunId>,
    args: serde_json::Value,
}

impl Default for RowPlan {
    fn default() -> Self {
        Self {
            at: noon(),
            surface: Surface::Rest,
            company: COMPANY,
            request_type: RequestType::GetRun,
            outcome: Some(Outcome::Succeeded),
            status_code: None,
            key: Some(KEY),
            account: None,
            job: None,
            run: None,
            args: json!({}),
        }
    }
}

impl RowPlan {
    fn row(self) -> LogRow {
        let stamp = RequestStamp::now(&FixedClock::at(self.at), self.surface, None);
        let limits = RowLimits {
            json_max_bytes: 1 << 20,
            ..RowLimits::default()
        };
        let mut fixed = FixedColumns::new(&stamp, self.request_type, self.company, &self.args, &limits);
        fixed.api_key_id = self.key;
        fixed.account_id = self.account;
        fixed.job_id = self.job;
        fixed.run_id = self.run;
        let Some(outcome) = self.outcome else {
            return Arc::new(fixed).open();
        };
        let mut closing = Closing::new(outcome, &stamp, self.at, None, &limits);
        closing.status_code = self.status_code;
        closing.attempts = i32::from(self.status_code.is_some());
        fixed.closed(closing)
    }
}

fn uuids(page: &LogPage) -> Vec<Uuid> {
    page.records.iter().map(|record| record.request_uuid).collect()
}

async fn page(logs: &RequestLogs, after: Option<LogPosition>, rows: u32) -> LogPage {
    let limit = PageLimit {
        rows,
        bytes: NO_BYTE_LIMIT,
    };
    logs.page(COMPANY, &LogVisibility::All, &LogFilter::default(), after, limit)
        .await
        .unwrap()
}

/// The UUIDs of all matching rows, newest first.
async fn search(logs: &RequestLogs, company: CompanyId, visibility: &LogVisibility, filter: &LogFilter) -> Vec<Uuid> {
    let limit = PageLimit {
        rows: 1000,
        bytes: NO_BYTE_LIMIT,
    };
    uuids(&logs.page(company, visibility, filter, None, limit).await.unwrap())
}

fn filter_with(change: impl FnOnce(&mut LogFilter)) -> LogFilter {
    let mut filter = LogFilter::default();
    change(&mut filter);
    filter
}
