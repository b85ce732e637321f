//! Finds out from the request log, which all replicas share, whether the gateway started a run recently.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use model::{AccountId, CompanyId, RequestType, RunId};

use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;

/// The runs started through the gateway.
#[async_trait]
pub trait StartedRuns: Send + Sync {
    /// Whether a request of that company, arrived at `since` or later, started that run of that account.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    async fn was_started(
        &self,
        company: CompanyId,
        account: AccountId,
        run: RunId,
        since: DateTime<Utc>,
    ) -> Result<bool, StorageError>;
}

/// [`StartedRuns`] from the request log in Postgres.
#[derive(Debug, Clone)]
pub struct PgStartedRuns {
    pool: BoundedPool,
}

impl PgStartedRuns {
    /// The runs in that database's log.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
        }
    }
}

#[async_trait]
impl StartedRuns for PgStartedRuns {
    async fn was_started(
        &self,
        company: CompanyId,
        account: AccountId,
        run: RunId,
        since: DateTime<Utc>,
    ) -> Result<bool, StorageError> {
        // Until a retry has succeeded, its row names the run to retry, not the started one.
        let starts = RequestType::STARTS_RUN.map(|request_type| request_type.as_str().to_owned());
        let found = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT FROM request_log
                   WHERE company_id = $1 AND run_id = $2 AND started_at >= $3 AND account_id = $4
                     AND request_type = ANY ($5) AND outcome = 'succeeded') AS "found!""#,
            company.0,
            run.0,
            since,
            account.0,
            &starts,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(found)
    }
}
