//! What every change of our own records has in common: its row in the request log, in the same transaction; and names.

use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType};
use serde_json::Value;
use sqlx::{Postgres, Transaction};

use crate::request_log::{CleanText, Closing, FixedColumns, Outcome, RowLimits, ensure_partition, insert_rows};
use crate::{StorageError, StorageMetrics};

/// A change of our own records, as its row will tell it.
pub(crate) struct Change<'s> {
    stamp: &'s RequestStamp,
    request_type: RequestType,
    company: CompanyId,
    by: Option<ApiKeyId>,
    /// The credential that is changed, by its name when the change was asked for, and its account.
    credential: Option<(&'s str, AccountId)>,
}

impl<'s> Change<'s> {
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

    /// Writes the row, commits both, and counts the request. `args` is an object and holds no secret.
    pub(crate) async fn commit(
        self,
        mut transaction: Transaction<'_, Postgres>,
        metrics: &StorageMetrics,
        args: &Value,
    ) -> Result<(), StorageError> {
        let limits = RowLimits::default();
        let Self {
            stamp, by, credential, ..
        } = self;
        let mut fixed = FixedColumns::new(stamp, self.request_type, self.company, args, &limits);
        fixed.api_key_id = by;
        fixed.credential = credential.map(|(name, _)| CleanText::new(name, limits.text_max_bytes));
        fixed.account_id = credential.map(|(_, account)| account);
        // Of the same clock as the start, so that the two and the duration agree.
        let finished_at = stamp.started_at() + stamp.elapsed();
        let row = fixed.closed(Closing::new(Outcome::Succeeded, stamp, finished_at, None, &limits));
        ensure_partition(&mut transaction, stamp.started_at().date_naive()).await?;
        insert_rows(&mut *transaction, std::slice::from_ref(&row), true).await?;
        transaction.commit().await?;
        metrics.ended(&row);
        Ok(())
    }
}

/// The names of companies and keys are for people: any characters but NUL, which Postgres does not take.
pub(crate) fn check_display_name(name: &str) -> Result<(), StorageError> {
    if (1..=200).contains(&name.chars().count()) && !name.contains('\0') {
        Ok(())
    } else {
        Err(StorageError::InvalidName("a name has 1 to 200 characters"))
    }
}
