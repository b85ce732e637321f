//! Appends events to a stream.

use sqlx::PgConnection;

use super::event::{NewRunEvent, StreamKey};

/// Appends these events in their order, within the caller's transaction, which locks the stream to its end. So numbers are
/// committed in their order, and a reader that has seen a number misses none before it.
pub(crate) async fn append(
    connection: &mut PgConnection,
    stream: &StreamKey,
    events: &[NewRunEvent],
) -> Result<(), sqlx::Error> {
    let Ok(count @ 1..) = i64::try_from(events.len()) else {
        return Ok(());
    };
    let locked = sqlx::query!(
        "INSERT INTO run_stream (company_id, host, account_id, last_seq) VALUES ($1, $2, $3, $4)
         ON CONFLICT (company_id, host, account_id) DO UPDATE SET last_seq = run_stream.last_seq + excluded.last_seq
         RETURNING id, last_seq",
        stream.company_id.0,
        stream.host,
        stream.account_id.0,
        count,
    )
    .fetch_one(&mut *connection)
    .await?;
    let column = |of: fn(&NewRunEvent) -> Option<i64>| events.iter().map(of).collect::<Vec<_>>();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str().to_owned()).collect();
    let runs: Vec<_> = events.iter().map(|event| event.run_id.0).collect();
    let credentials: Vec<_> = events.iter().map(|event| event.credential.clone()).collect();
    let data: Vec<_> = events.iter().map(|event| event.data.clone()).collect();
    sqlx::query!(
        "INSERT INTO run_event (stream_id, seq, at, kind, run_id, project_id, job_id, environment_id, credential, data)
         SELECT $1, $2 + event.number, clock_timestamp(), event.kind, event.run_id, event.project_id, event.job_id,
             event.environment_id, event.credential, event.data
         FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[])
             WITH ORDINALITY
             AS event (kind, run_id, project_id, job_id, environment_id, credential, data, number)",
        locked.id,
        locked.last_seq - count,
        &kinds,
        &runs,
        &column(|event| event.project_id.map(|id| id.0)) as &[Option<i64>],
        &column(|event| event.job_id.map(|id| id.0)) as &[Option<i64>],
        &column(|event| event.environment_id.map(|id| id.0)) as &[Option<i64>],
        &credentials,
        &data,
    )
    .execute(connection)
    .await?;
    Ok(())
}
