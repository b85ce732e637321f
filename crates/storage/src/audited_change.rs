//! A change of companies, API keys or credentials, and its row in the request log: committed together, except for a
//! revocation or suspension, which must not depend on the log.

use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType};
use serde_json::Value;

use crate::bounded_pool::BoundedTransaction;
use crate::database::Database;
use crate::error::StorageError;
use crate::metrics::StorageMetrics;
use crate::outcome::Outcome;
use crate::request_log::{Closing, FixedColumns, LogRow, RowLimits, SanitisedText, ensure_partition, insert_rows};

/// Writes the row of a change that was committed alone: for a process without a queue.
///
/// # Errors
/// [`StorageError::TimedOut`], [`StorageError::Query`].
pub async fn write_row(database: &Database, row: &LogRow) -> Result<(), StorageError> {
    let write = async |mut transaction: BoundedTransaction| {
        ensure_partition(&mut transaction, row.fixed().started_at().date_naive()).await?;
        insert_rows(&mut *transaction, std::slice::from_ref(row), true).await?;
        transaction.commit().await?;
        Ok(())
    };
    database.pool().transaction(write).await
}

/// What the row says besides its arguments.
pub(crate) struct AuditedChange<'s> {
    stamp: &'s RequestStamp,
    request_type: RequestType,
    company: CompanyId,
    by: Option<ApiKeyId>,
    /// The changed credential: its name before the change, and its account.
    credential: Option<(&'s str, AccountId)>,
}

impl<'s> AuditedChange<'s> {
    pub(crate) fn new(
        stamp: &'s RequestStamp,
        request_type: RequestType,
        company: CompanyId,
        by: Option<ApiKeyId>,
    ) -> Self {
        Self {
            stamp,
            request_type,
            company,
            by,
            credential: None,
        }
    }

    pub(crate) fn of_credential(self, name: &'s str, account: AccountId) -> Self {
        Self {
            credential: Some((name, account)),
            ..self
        }
    }

    /// Writes the row, commits it with the change, and counts the request. `args` is an object without secrets.
    pub(crate) async fn commit(
        self,
        mut transaction: BoundedTransaction,
        metrics: &StorageMetrics,
        args: &Value,
    ) -> Result<(), StorageError> {
        let day = self.stamp.started_at().date_naive();
        let row = self.row(args);
        ensure_partition(&mut transaction, day).await?;
        insert_rows(&mut *transaction, std::slice::from_ref(&row), true).await?;
        transaction.commit().await?;
        row.count_ended(metrics);
        Ok(())
    }

    /// The row of the change, which succeeded. `args` is an object without secrets.
    pub(crate) fn row(self, args: &Value) -> LogRow {
        let limits = RowLimits::default();
        let Self {
            stamp, by, credential, ..
        } = self;
        let mut fixed = FixedColumns::new(stamp, self.request_type, self.company, args, &limits);
        fixed.api_key_id = by;
        fixed.credential = credential.map(|(name, _)| SanitisedText::new(name, limits.text_max_bytes));
        fixed.account_id = credential.map(|(_, account)| account);
        // Derived from the start, so that start, end and duration agree.
        let finished_at = stamp.started_at() + stamp.elapsed();
        fixed.closed(Closing::new(Outcome::Succeeded, stamp, finished_at, None, &limits))
    }
}
