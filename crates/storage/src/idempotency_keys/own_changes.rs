//! Keys of changes of the gateway's own records: stored in the transaction of the change, so that both are made or neither.

use std::time::Duration;

use model::ApiKeyId;
use serde::Serialize;

use super::key::{Earlier, NewIdempotencyKey, StoredAnswer};
use super::rows;
use crate::bounded_pool::{BoundedPool, BoundedTransaction};
use crate::error::StorageError;

/// The status of the first answer.
const CREATED: u16 = 201;

/// What is kept of the answer to a change.
pub(crate) enum OwnAnswer<'a, T> {
    /// The record, which holds no secret.
    Record(&'a T),
    /// The API key that was made: the answer holds its text.
    Secret(ApiKeyId),
}

/// Stores the key at the beginning of the change.
///
/// # Errors
/// [`StorageError::Repeated`]: it was used before, or is being used by a transaction under way.
pub(crate) async fn begin_own(
    transaction: &mut BoundedTransaction,
    key: Option<&NewIdempotencyKey>,
) -> Result<(), StorageError> {
    let Some(key) = key else { return Ok(()) };
    // The row of a transaction under way cannot be seen before its commit; its lock can, and a storm of repeats then does
    // not wait with a connection each.
    let is_free = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, $2)) AS "is_free!""#,
        key.key.as_str(),
        key.api_key_id.0,
    )
    .fetch_one(&mut **transaction)
    .await?;
    let earlier = if is_free {
        rows::begin(transaction, key, Duration::ZERO, true).await?
    } else {
        Some(Earlier::InFlight(None))
    };
    earlier.map_or(Ok(()), |earlier| Err(StorageError::Repeated(Box::new(earlier))))
}

/// Stores the answer at the end of the change.
pub(crate) async fn end_own<T: Serialize>(
    transaction: &mut BoundedTransaction,
    key: Option<&NewIdempotencyKey>,
    answer: OwnAnswer<'_, T>,
) -> Result<(), StorageError> {
    let Some(key) = key else { return Ok(()) };
    match answer {
        OwnAnswer::Record(record) => {
            let body = serde_json::to_string(record).map_err(|error| StorageError::Row {
                table: "idempotency_key",
                reason: error.to_string(),
            })?;
            let answer = StoredAnswer {
                status_code: CREATED,
                body,
            };
            rows::end(transaction, key.request_uuid, Some(&answer)).await
        }
        OwnAnswer::Secret(made) => {
            sqlx::query!(
                "UPDATE idempotency_key SET state = 'not_replayable', made_api_key_id = $2 WHERE request_uuid = $1",
                key.request_uuid,
                made.0,
            )
            .execute(&mut **transaction)
            .await?;
            Ok(())
        }
    }
}

/// Checks that a request with that key is the first one, before checks that would now refuse the first one too. Stores
/// nothing.
///
/// # Errors
/// [`StorageError::Repeated`]; [`StorageError::TimedOut`], [`StorageError::Query`].
pub(crate) async fn check_unused(pool: &BoundedPool, key: &NewIdempotencyKey) -> Result<(), StorageError> {
    let check = async |mut transaction: BoundedTransaction| {
        let earlier = rows::earlier(&mut transaction, key, true).await?;
        transaction.commit().await?;
        earlier.map_or(Ok(()), |earlier| Err(StorageError::Repeated(Box::new(earlier))))
    };
    pool.transaction(check).await
}
