//! The one statement that writes rows: open ones, whole ones, and the closing of open ones.

use chrono::NaiveDate;
use model::ClientType;
use sqlx::{PgConnection, PgExecutor};

use super::clean::CleanText;
use super::row::{Closing, LogRow, Outcome};

/// The statement, with what follows it.
macro_rules! insert {
    ($rows:ident, $tail:literal) => {
        sqlx::query!(
            r#"
            INSERT INTO request_log AS old (
                request_uuid, started_at, caller_request_id, face, client_type, request_type, template, company_id,
                api_key_id, credential, account_id, job_id, run_id, args, instance_id, status_code, outcome, error,
                attempts, exchanges, bytes, served_from, finished_at, duration_ms)
            SELECT
                request_uuid, started_at, caller_request_id, face, client_type, request_type, template, company_id,
                api_key_id, credential, account_id, job_id, run_id, args::jsonb, instance_id, status_code::int,
                outcome, error, attempts, exchanges::jsonb, bytes, CASE WHEN attempts > 0 THEN 'dbt' END, finished_at,
                duration_ms
            FROM UNNEST(
                $1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[],
                $15::bigint[], $16::bigint[], $17::text[], $18::text[], $19::int[], $20::text[], $21::bigint[],
                $22::timestamptz[], $23::double precision[])
            AS new (
                request_uuid, started_at, caller_request_id, face, client_type, request_type, template, company_id,
                api_key_id, credential, account_id, job_id, run_id, args, instance_id, status_code, outcome, error,
                attempts, exchanges, bytes, finished_at, duration_ms)"# + $tail,
            &column($rows, |row| row.fixed.request_uuid),
            &column($rows, |row| row.fixed.started_at),
            &column($rows, |row| row.fixed.caller_request_id.as_ref().map(CleanText::as_str)) as _,
            &column($rows, |row| row.fixed.face.as_str()) as _,
            &column($rows, |row| row.fixed.request_type.client_type().map(ClientType::as_str)) as _,
            &column($rows, |row| row.fixed.request_type.as_str()) as _,
            &column($rows, |row| row.fixed.template.as_deref()) as _,
            &column($rows, |row| row.fixed.company_id.0),
            &column($rows, |row| row.fixed.api_key_id.map(i64::from)) as _,
            &column($rows, |row| row.fixed.credential.as_ref().map(CleanText::as_str)) as _,
            &column($rows, |row| row.fixed.account_id.map(i64::from)) as _,
            &column($rows, |row| end(row, |end| end.job_id).or(row.fixed.job_id).map(i64::from)) as _,
            &column($rows, |row| end(row, |end| end.run_id).or(row.fixed.run_id).map(i64::from)) as _,
            &column($rows, |row| row.fixed.args.as_str()) as _,
            &column($rows, |row| row.fixed.instance_id.map(i64::from)) as _,
            &column($rows, |row| end(row, |end| end.status_code).map(i64::from)) as _,
            &column($rows, |row| row.outcome().map(Outcome::as_str)) as _,
            &column($rows, |row| row.closing.as_ref()?.error.as_ref().map(CleanText::as_str)) as _,
            &column($rows, LogRow::attempts),
            &column($rows, |row| row.closing.as_ref().map_or("[]", |end| end.exchanges.as_str())) as _,
            &column($rows, |row| end(row, |end| end.bytes)) as _,
            &column($rows, |row| row.closing.as_ref().map(|end| end.finished_at)) as _,
            &column($rows, |row| row.closing.as_ref().map(|end| end.duration_ms)) as _,
        )
    };
}
/// Writes all rows with one statement. A row may be written again: an open one never overwrites, a whole one overwrites
/// an open or abandoned one. So a group whose commit got no answer is simply sent again.
///
/// `are_new`: none of the rows can be there yet, which makes each a third cheaper for Postgres.
///
/// The rows' UUIDs must differ, and the partitions of their days must exist ([`ensure_partition`]).
pub(crate) async fn insert_rows(
    executor: impl PgExecutor<'_>,
    rows: &[LogRow],
    are_new: bool,
) -> Result<(), sqlx::Error> {
    if are_new {
        insert!(rows, "").execute(executor).await?;
    } else {
        insert!(
            rows,
            "
            ON CONFLICT (started_at, request_uuid) DO UPDATE SET
                job_id = EXCLUDED.job_id,
                run_id = EXCLUDED.run_id,
                status_code = EXCLUDED.status_code,
                outcome = EXCLUDED.outcome,
                error = EXCLUDED.error,
                attempts = EXCLUDED.attempts,
                exchanges = EXCLUDED.exchanges,
                bytes = EXCLUDED.bytes,
                served_from = EXCLUDED.served_from,
                finished_at = EXCLUDED.finished_at,
                duration_ms = EXCLUDED.duration_ms
            WHERE EXCLUDED.finished_at IS NOT NULL AND (old.finished_at IS NULL OR old.outcome = 'abandoned')"
        )
        .execute(executor)
        .await?;
    }
    Ok(())
}

/// What is known of a row's end.
fn end<T>(row: &LogRow, pick: impl Fn(&Closing) -> Option<T>) -> Option<T> {
    row.closing.as_ref().and_then(pick)
}

/// Makes the partition of that UTC day if it is missing.
pub(crate) async fn ensure_partition(connection: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT request_log_ensure_partition($1)", day)
        .fetch_one(connection)
        .await?;
    Ok(())
}

fn column<'r, T>(rows: &'r [LogRow], pick: impl Fn(&'r LogRow) -> T) -> Vec<T> {
    rows.iter().map(pick).collect()
}
