//! The companies (tenants). Created and suspended by command; the migrations create company 1.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::{CompanyId, RequestStamp, RequestType};
use serde_json::json;

use crate::audited_change::AuditedChange;
use crate::bounded_pool::{BoundedPool, BoundedTransaction};
use crate::database::Database;
use crate::display_name::check_display_name;
use crate::error::StorageError;
use crate::metrics::StorageMetrics;
use crate::request_log::LogRow;

/// A tenant of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// Its unique name.
    pub name: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was suspended: its keys are refused.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// A company whose suspension began or ended, and the row of that.
#[derive(Debug)]
#[must_use = "the row is not written yet"]
pub struct Suspension {
    /// The company.
    pub company: Company,
    /// Its row in the request log.
    pub row: LogRow,
}

/// The table `company`.
#[derive(Debug, Clone)]
pub struct Companies {
    pool: BoundedPool,
    metrics: Arc<StorageMetrics>,
}

impl Companies {
    /// The companies of that database.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
            metrics: Arc::clone(database.metrics()),
        }
    }

    /// Creates a company, and its row in the request log (of the new company) in the same transaction.
    ///
    /// # Errors
    /// [`StorageError::InvalidName`], [`StorageError::NameTaken`], [`StorageError::Query`].
    pub async fn create(&self, stamp: &RequestStamp, name: &str) -> Result<CompanyId, StorageError> {
        check_display_name(name)?;
        let create = async |mut transaction: BoundedTransaction| {
            let row = sqlx::query!("INSERT INTO company (name) VALUES ($1) RETURNING id", name)
                .fetch_one(&mut *transaction)
                .await
                .map_err(|error| StorageError::taken_or(error, "company_name_key"))?;
            let id = CompanyId(row.id);
            AuditedChange::new(stamp, RequestType::CreateCompany, id, None)
                .commit(transaction, &self.metrics, &json!({"company_id": id, "name": name}))
                .await?;
            Ok(id)
        };
        self.pool.transaction(create).await
    }

    /// All companies, oldest first.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn list(&self) -> Result<Vec<Company>, StorageError> {
        let rows = sqlx::query!("SELECT id, name, created_at, suspended_at FROM company ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Company {
                id: CompanyId(row.id),
                name: row.name,
                created_at: row.created_at,
                suspended_at: row.suspended_at,
            })
            .collect())
    }

    /// Suspends a company, or ends that. Commits alone, so that it works whenever the table of companies can be written; the
    /// caller writes its row. Suspending again keeps the first time. `None`: there is no such company.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`]: it may have happened or not; [`StorageError::Query`].
    pub async fn set_suspended(
        &self,
        stamp: &RequestStamp,
        id: CompanyId,
        is_suspended: bool,
    ) -> Result<Option<Suspension>, StorageError> {
        let changed = sqlx::query!(
            "UPDATE company SET suspended_at = CASE WHEN $2 THEN COALESCE(suspended_at, now()) END WHERE id = $1
             RETURNING id, name, created_at, suspended_at",
            id.0,
            is_suspended,
        )
        .fetch_optional(&self.pool)
        .await?;
        let request_type = if is_suspended {
            RequestType::SuspendCompany
        } else {
            RequestType::ResumeCompany
        };
        Ok(changed.map(|row| {
            let args = json!({"company_id": id, "name": row.name});
            Suspension {
                company: Company {
                    id: CompanyId(row.id),
                    name: row.name,
                    created_at: row.created_at,
                    suspended_at: row.suspended_at,
                },
                row: AuditedChange::new(stamp, request_type, id, None).row(&args),
            }
        }))
    }
}
