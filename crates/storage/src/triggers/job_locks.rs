//! The table `job_lock`: leased rows, since no connection is held during exchanges with dbt Cloud.

use std::time::Duration;

use model::{AccountId, JobId};
use uuid::Uuid;

use crate::bounded_pool::BoundedPool;
use crate::error::StorageError;

pub(super) async fn lock(
    pool: &BoundedPool,
    host: &str,
    account: AccountId,
    job: JobId,
    owner: Uuid,
    lease: Duration,
) -> Result<bool, StorageError> {
    let done = sqlx::query!(
        "INSERT INTO job_lock (host, account_id, job_id, lease_owner, lease_until)
         VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
         ON CONFLICT (host, account_id, job_id) DO UPDATE
             SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
             WHERE job_lock.lease_owner = excluded.lease_owner OR job_lock.lease_until <= clock_timestamp()",
        host,
        account.0,
        job.0,
        owner,
        lease.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn unlock(
    pool: &BoundedPool,
    host: &str,
    account: AccountId,
    job: JobId,
    owner: Uuid,
) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM job_lock WHERE host = $1 AND account_id = $2 AND job_id = $3 AND lease_owner = $4",
        host,
        account.0,
        job.0,
        owner,
    )
    .execute(pool)
    .await?;
    Ok(())
}
