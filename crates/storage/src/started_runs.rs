//! Which runs were started through the gateway just now: asked of the request log, which every replica writes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use model::{AccountId, CompanyId, RequestType, RunId};
use sqlx::PgPool;

use crate::{Database, StorageError};

/// Knows who started which run.
#[async_trait]
pub trait StartedRuns: Send + Sync {
    /// Whether a request of that company, which arrived at `since` or later, started that run of that account.
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

/// The request log in Postgres, read.
#[derive(Debug, Clone)]
pub struct PgStartedRuns {
    pool: PgPool,
}

impl PgStartedRuns {
    /// What that database's log tells.
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
        // Only of one that succeeded is the row's run the one that it started: before, a retry's is the one it is about.
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
