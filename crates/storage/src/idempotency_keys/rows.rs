//! The table `idempotency_key`, within the transaction of the request.

use std::collections::BTreeMap;
use std::time::Duration;

use model::ApiKeyId;
use rand::RngExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::key::{Earlier, NewIdempotencyKey, StoredAnswer, differences, fingerprint};
use crate::bounded_pool::{BoundedPool, BoundedTransaction};
use crate::error::StorageError;

/// Stores the key; or says what the request that used it before came to. `lease` is for how long a request without an
/// attempt counts as in progress; `may_take_over`: whether it is sent again after that.
pub(crate) async fn begin(
    transaction: &mut BoundedTransaction,
    new: &NewIdempotencyKey,
    lease: Duration,
    may_take_over: bool,
) -> Result<Option<Earlier>, StorageError> {
    let salt: [u8; 16] = rand::rng().random();
    let prints = json!(fingerprint(&salt, &new.fields));
    let stored = sqlx::query!(
        "INSERT INTO idempotency_key (api_key_id, key, request_uuid, salt, fingerprint, expires_at, lease_until)
         VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6),
             clock_timestamp() + make_interval(secs => $7))
         ON CONFLICT (api_key_id, key) DO UPDATE SET request_uuid = excluded.request_uuid, salt = excluded.salt,
             fingerprint = excluded.fingerprint, state = 'in_flight', status_code = NULL, answer = NULL, made_api_key_id = NULL,
             created_at = excluded.created_at, expires_at = excluded.expires_at, lease_until = excluded.lease_until
             WHERE idempotency_key.expires_at <= clock_timestamp()",
        new.api_key_id.0,
        new.key.as_str(),
        new.request_uuid,
        &salt[..],
        prints.clone(),
        new.ttl.as_secs_f64(),
        lease.as_secs_f64(),
    )
    .execute(&mut **transaction)
    .await?;
    if stored.rows_affected() == 1 {
        return Ok(None);
    }
    if let Some(earlier) = earlier(transaction, new, may_take_over).await? {
        return Ok(Some(earlier));
    }
    let taken_over = sqlx::query!(
        "UPDATE idempotency_key SET request_uuid = $3, salt = $4, fingerprint = $5, state = 'in_flight', status_code = NULL,
             answer = NULL, made_api_key_id = NULL, expires_at = clock_timestamp() + make_interval(secs => $6),
             lease_until = clock_timestamp() + make_interval(secs => $7)
         WHERE api_key_id = $1 AND key = $2",
        new.api_key_id.0,
        new.key.as_str(),
        new.request_uuid,
        &salt[..],
        prints,
        new.ttl.as_secs_f64(),
        lease.as_secs_f64(),
    )
    .execute(&mut **transaction)
    .await?;
    // The key expired and was removed in between: the next try finds none.
    Ok((taken_over.rows_affected() == 0).then_some(Earlier::InFlight(None)))
}

/// What the request that used the key before came to; `None`: there is none, or it counts no more.
pub(super) async fn earlier(
    transaction: &mut BoundedTransaction,
    new: &NewIdempotencyKey,
    may_take_over: bool,
) -> Result<Option<Earlier>, StorageError> {
    let first = sqlx::query!(
        r#"SELECT k.request_uuid, k.salt, k.fingerprint, k.status_code, k.answer, k.made_api_key_id,
               k.lease_until > clock_timestamp() AS "is_leased!", a.state AS "attempt?"
           FROM idempotency_key k LEFT JOIN trigger_attempt a USING (request_uuid)
           WHERE k.api_key_id = $1 AND k.key = $2 AND k.expires_at > clock_timestamp() FOR UPDATE OF k"#,
        new.api_key_id.0,
        new.key.as_str(),
    )
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(first) = first else { return Ok(None) };
    let differing = differences(&prints_of(first.fingerprint), &fingerprint(&first.salt, &new.fields));
    if !differing.is_empty() {
        return Ok(Some(Earlier::Differs(differing)));
    }
    if let (Some(status), Some(body)) = (first.status_code, first.answer) {
        return Ok(Some(Earlier::Answered(StoredAnswer {
            status_code: u16::try_from(status).unwrap_or(200),
            body,
        })));
    }
    if let Some(made) = first.made_api_key_id {
        return Ok(Some(Earlier::NotReplayable(ApiKeyId(made))));
    }
    let takes_over = match first.attempt.as_deref() {
        Some("not_started" | "failed") => true,
        Some("unresolved" | "ambiguous") => return Ok(Some(Earlier::Unresolved(first.request_uuid))),
        Some(_) => false,
        None if first.is_leased => false,
        None if may_take_over => true,
        None => return Ok(Some(Earlier::Unresolved(first.request_uuid))),
    };
    Ok((!takes_over).then_some(Earlier::InFlight(Some(first.request_uuid))))
}

/// Stores the first answer to the key of that request; `None` forgets the key.
pub(crate) async fn end(
    transaction: &mut BoundedTransaction,
    request: Uuid,
    answer: Option<&StoredAnswer>,
) -> Result<(), StorageError> {
    match answer {
        Some(answer) => {
            sqlx::query!(
                "UPDATE idempotency_key SET state = 'answered', status_code = $2, answer = $3 WHERE request_uuid = $1",
                request,
                i32::from(answer.status_code),
                answer.body,
            )
            .execute(&mut **transaction)
            .await?;
        }
        None => {
            sqlx::query!("DELETE FROM idempotency_key WHERE request_uuid = $1", request)
                .execute(&mut **transaction)
                .await?;
        }
    }
    Ok(())
}

/// Ends the time for which the request of that key counts as in progress: what it did is not known.
pub(crate) async fn leave(pool: &BoundedPool, request: Uuid) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE idempotency_key SET lease_until = clock_timestamp() WHERE request_uuid = $1 AND state = 'in_flight'",
        request,
    )
    .execute(pool)
    .await?;
    Ok(())
}

fn prints_of(stored: Value) -> BTreeMap<String, String> {
    serde_json::from_value(stored).unwrap_or_default()
}
