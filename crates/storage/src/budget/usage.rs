//! Who used an account's budget: read from the request log, where every exchange is recorded.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, ClientType, CompanyId};

use super::ledger::BudgetUse;
use crate::bounded_pool::BoundedPool;
use crate::error::StorageError;

/// A request that lasted longer than this before it ended is not counted: a search needs a bound.
const LONGEST: Duration = Duration::from_mins(5);

pub(super) async fn of_last_minute(
    pool: &BoundedPool,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Vec<BudgetUse>, StorageError> {
    // One search of an index for each company.
    let rows = sqlx::query!(
        r#"SELECT log.client_type AS "client_type!", log.surface = 'internal' AS "is_background!",
                   log.request_type AS "request_type!", company.id AS company_id, log.api_key_id,
                   sum(log.attempts)::bigint AS "sent!"
               FROM company CROSS JOIN LATERAL (
                   SELECT client_type, surface, request_type, api_key_id, attempts FROM request_log
                   WHERE company_id = company.id AND started_at > $2::timestamptz - make_interval(secs => $3) AND account_id = $1
                       AND finished_at > $2::timestamptz - interval '1 minute' AND attempts > 0 AND client_type IS NOT NULL
                   ) log
               GROUP BY 1, 2, 3, 4, 5"#,
        account.0,
        now,
        LONGEST.as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    let used = rows.into_iter().filter_map(|row| {
        Some(BudgetUse {
            api: ClientType::ALL
                .into_iter()
                .find(|api| api.as_str() == row.client_type)?,
            is_background: row.is_background,
            request_type: row.request_type,
            company: CompanyId(row.company_id),
            key: row.api_key_id.filter(|id| *id > 0).map(ApiKeyId),
            sent: row.sent,
        })
    });
    Ok(used.collect())
}
