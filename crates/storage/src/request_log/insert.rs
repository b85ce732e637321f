//! The statement that inserts open and complete rows and closes open ones.

use model::ClientType;
use sqlx::PgExecutor;

use super::row::{Closing, LogRow};
use super::sanitised::SanitisedText;
use crate::outcome::Outcome;

/// The statement with a source of rows and a trailing clause. `$pick` turns a column of the rows into a parameter.
macro_rules! insert {
    ($rows:ident, $pick:ident, $source:literal, $tail:literal) => {
        sqlx::query!(
            "
            INSERT INTO request_log AS old (
                request_uuid, started_at, caller_request_id, surface, client_type, request_type, template, company_id,
                api_key_id, credential, account_id, job_id, run_id, args, instance_id, status_code, outcome, error,
                attempts, exchanges, bytes, served_from, source_request_uuid, finished_at, duration_ms)
            SELECT
                request_uuid, started_at, caller_request_id, surface, client_type, request_type, template, company_id,
                api_key_id, credential, account_id, job_id, run_id, args::jsonb, instance_id, status_code::int,
                outcome, error, attempts, exchanges::jsonb, bytes, served_from, source_request_uuid, finished_at,
                duration_ms
            FROM " + $source + "
            AS new (
                request_uuid, started_at, caller_request_id, surface, client_type, request_type, template, company_id,
                api_key_id, credential, account_id, job_id, run_id, args, instance_id, status_code, outcome, error,
                attempts, exchanges, bytes, served_from, source_request_uuid, finished_at, duration_ms)" + $tail,
            &$pick($rows, |row| row.fixed.request_uuid),
            &$pick($rows, |row| row.fixed.started_at),
            &$pick($rows, |row| row.fixed.caller_request_id.as_ref().map(SanitisedText::as_str)) as _,
            &$pick($rows, |row| row.fixed.surface.as_str()) as _,
            &$pick($rows, |row| row.fixed.request_type.client_type().map(ClientType::as_str)) as _,
            &$pick($rows, |row| row.fixed.request_type.as_str()) as _,
            &$pick($rows, |row| row.fixed.template.as_deref()) as _,
            &$pick($rows, |row| row.fixed.company_id.0),
            &$pick($rows, |row| row.fixed.api_key_id.map(i64::from)) as _,
            &$pick($rows, |row| row.fixed.credential.as_ref().map(SanitisedText::as_str)) as _,
            &$pick($rows, |row| row.fixed.account_id.map(i64::from)) as _,
            &$pick($rows, |row| end(row, |end| end.job_id).or(row.fixed.job_id).map(i64::from)) as _,
            &$pick($rows, |row| end(row, |end| end.run_id).or(row.fixed.run_id).map(i64::from)) as _,
            &$pick($rows, |row| row.fixed.args.as_str()) as _,
            &$pick($rows, |row| row.fixed.instance_id.map(i64::from)) as _,
            &$pick($rows, |row| end(row, |end| end.status_code).map(i64::from)) as _,
            &$pick($rows, |row| row.outcome().map(Outcome::as_str)) as _,
            &$pick($rows, |row| row.closing.as_ref()?.error.as_ref().map(SanitisedText::as_str)) as _,
            &$pick($rows, LogRow::attempts),
            &$pick($rows, |row| row.closing.as_ref().map_or("[]", |end| end.exchanges.as_str())) as _,
            &$pick($rows, |row| end(row, |end| end.bytes)) as _,
            &$pick($rows, LogRow::served_from) as _,
            &$pick($rows, |row| end(row, |end| end.source_request_uuid)) as _,
            &$pick($rows, |row| row.closing.as_ref().map(|end| end.finished_at)) as _,
            &$pick($rows, |row| row.closing.as_ref().map(|end| end.duration_ms)) as _,
        )
    };
}

/// One row with plain values as parameters, the usual case at low load. It costs Postgres less than arrays of length one.
macro_rules! insert_one {
    ($row:ident, $tail:literal) => {
        insert!(
            $row,
            value,
            "(VALUES (
                $1::uuid, $2::timestamptz, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bigint, $9::bigint,
                $10::text, $11::bigint, $12::bigint, $13::bigint, $14::text, $15::bigint, $16::bigint, $17::text,
                $18::text, $19::int, $20::text, $21::bigint, $22::text, $23::uuid, $24::timestamptz,
                $25::double precision))",
            $tail
        )
    };
}

/// Many rows with arrays of equal length as parameters. `unnest` is in the select list because in FROM Postgres would
/// first materialise each array.
macro_rules! insert_many {
    ($rows:ident, $tail:literal) => {
        insert!(
            $rows,
            column,
            "(SELECT
                unnest($1::uuid[]), unnest($2::timestamptz[]), unnest($3::text[]), unnest($4::text[]),
                unnest($5::text[]), unnest($6::text[]), unnest($7::text[]), unnest($8::bigint[]),
                unnest($9::bigint[]), unnest($10::text[]), unnest($11::bigint[]), unnest($12::bigint[]),
                unnest($13::bigint[]), unnest($14::text[]), unnest($15::bigint[]), unnest($16::bigint[]),
                unnest($17::text[]), unnest($18::text[]), unnest($19::int[]), unnest($20::text[]),
                unnest($21::bigint[]), unnest($22::text[]), unnest($23::uuid[]), unnest($24::timestamptz[]),
                unnest($25::double precision[]))",
            $tail
        )
    };
}

macro_rules! upsert {
    ($insert:ident, $rows:ident) => {
        $insert!(
            $rows,
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
                source_request_uuid = EXCLUDED.source_request_uuid,
                finished_at = EXCLUDED.finished_at,
                duration_ms = EXCLUDED.duration_ms
            WHERE EXCLUDED.finished_at IS NOT NULL AND (old.finished_at IS NULL OR old.outcome = 'abandoned')"
        )
    };
}

/// Writes all rows with one statement. Writing a row again is safe: an open row never overwrites, a complete row
/// overwrites an open or abandoned one. So a group whose commit got no answer can be sent again.
///
/// `are_new`: none of the rows exists yet, which makes each a third cheaper for Postgres.
///
/// The UUIDs must differ, and the partitions must exist ([`ensure_partition`](super::partitions::ensure_partition)).
pub(crate) async fn insert_rows(
    executor: impl PgExecutor<'_>,
    rows: &[LogRow],
    are_new: bool,
) -> Result<(), sqlx::Error> {
    match (rows, are_new) {
        ([row], true) => insert_one!(row, "").execute(executor).await?,
        ([row], false) => upsert!(insert_one, row).execute(executor).await?,
        (rows, true) => insert_many!(rows, "").execute(executor).await?,
        (rows, false) => upsert!(insert_many, rows).execute(executor).await?,
    };
    Ok(())
}

fn end<T>(row: &LogRow, pick: impl Fn(&Closing) -> Option<T>) -> Option<T> {
    row.closing.as_ref().and_then(pick)
}

fn value<'r, T>(row: &'r LogRow, pick: impl Fn(&'r LogRow) -> T) -> T {
    pick(row)
}

fn column<'r, T>(rows: &'r [LogRow], pick: impl Fn(&'r LogRow) -> T) -> Vec<T> {
    rows.iter().map(pick).collect()
}
