//! A row that Postgres refuses does not affect other rows, and is logged reduced.

use std::sync::Arc;

use futures::future;
use model::JobId;
use serde_json::{Value, json};
use storage::{LogError, LogRow, Outcome};

use crate::support::{
    Db, Step, TIMEOUT, WatchedSink, closing, commit, complete_row, complete_row_with, fixed, lost_rows, noon, owner,
    stamp_at, start,
};

/// A database that refuses rows with the argument `poison`.
async fn db_that_rejects_poison() -> (Db, Arc<WatchedSink>) {
    let db = Db::new().await;
    db.run("ALTER TABLE request_log ADD CONSTRAINT poison CHECK (args->>'name' IS DISTINCT FROM 'poison')")
        .await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    (db, sink)
}

fn poison_row(outcome: Outcome) -> LogRow {
    complete_row_with(outcome, &json!({"name": "poison"}))
}

fn row_of<'r>(rows: &'r [Value], row: &LogRow) -> &'r Value {
    let uuid = row.request_uuid().to_string();
    rows.iter()
        .find(|found| found["request_uuid"] == uuid.as_str())
        .unwrap()
}

#[tokio::test]
async fn a_refused_row_does_not_fail_the_others_of_its_group() {
    let (db, sink) = db_that_rejects_poison().await;
    let (queue, _writer) = start(&sink);
    sink.hold(true);
    let first = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.wait_for_writes(1).await;
    let culprit = poison_row(Outcome::NotFound);
    let receipts: Vec<_> = (0..100)
        .map(|number| match number {
            37 => culprit.clone(),
            _ => complete_row(Outcome::Succeeded),
        })
        .map(|row| queue.reserve(&owner(), false).unwrap().close(row))
        .collect();
    sink.hold(false);

    first.committed_within(TIMEOUT).await.unwrap();
    let committed = future::join_all(receipts.into_iter().map(|receipt| receipt.committed_within(TIMEOUT))).await;

    assert!(committed.iter().all(Result::is_ok));
    assert_eq!(sink.groups()[..2], [1, 100], "they share a group");
    assert!(
        sink.groups().len() <= 2 + 2 * 7 + 1,
        "halving, not one by one: {:?}",
        sink.groups()
    );
    let rows = db.rows().await;
    assert_eq!(rows.len(), 101);
    let reduced = row_of(&rows, &culprit);
    assert_eq!(
        (&reduced["args"], &reduced["outcome"]),
        (&json!({}), &json!("not_found"))
    );
    let error = reduced["error"].as_str().unwrap();
    assert!(error.starts_with("row refused by the database"), "{error}");
    let complete = rows.iter().filter(|row| row["args"] == json!({"project_id": 7}));
    assert_eq!(complete.count(), 100);
}

#[tokio::test]
async fn a_refused_row_with_outcome_succeeded_keeps_it() {
    let (db, sink) = db_that_rejects_poison().await;
    let (queue, writer) = start(&sink);
    commit(&queue, poison_row(Outcome::Succeeded)).await.unwrap();
    let row = db.only_row().await;
    assert_eq!((&row["outcome"], &row["error"]), (&json!("succeeded"), &json!(null)));
    queue.close();
    assert_eq!(lost_rows(writer).await, 0, "nothing is lost");
}

#[tokio::test]
async fn a_refused_open_row_is_written_reduced_and_can_be_closed() {
    let (db, sink) = db_that_rejects_poison().await;
    let (queue, _writer) = start(&sink);
    let stamp = stamp_at(noon());
    let mut part = crate::support::fixed_with(&stamp, &json!({"name": "poison"}));
    part.job_id = Some(JobId(42));
    let part = Arc::new(part);
    let mut slot = queue.reserve(&owner(), true).unwrap();

    slot.open(part.open()).unwrap().committed_within(TIMEOUT).await.unwrap();
    let open = db.only_row().await;
    assert_eq!((&open["finished_at"], &open["job_id"]), (&json!(null), &json!(42)));

    let close = part.open().close(closing(&stamp, Outcome::Succeeded));
    slot.close(close).committed_within(TIMEOUT).await.unwrap();
    assert_eq!(db.only_row().await["outcome"], "succeeded");
}

#[tokio::test]
async fn a_row_that_is_refused_even_reduced_is_lost_alone_and_reported() {
    let db = Db::new().await;
    db.run("ALTER TABLE request_log ADD CONSTRAINT unlucky CHECK (job_id <> 13)")
        .await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, writer) = start(&sink);
    sink.hold(true);
    let stamp = stamp_at(noon());
    let mut unlucky = fixed(&stamp);
    unlucky.job_id = Some(JobId(13));
    let rows = [
        complete_row(Outcome::Succeeded),
        unlucky.closed(closing(&stamp, Outcome::Succeeded)),
        complete_row(Outcome::Succeeded),
    ];
    let receipts = rows.map(|row| queue.reserve(&owner(), false).unwrap().close(row));
    sink.hold(false);

    let committed = future::join_all(receipts.into_iter().map(|receipt| receipt.committed_within(TIMEOUT))).await;

    assert_eq!(committed, [Ok(()), Err(LogError::Refused), Ok(())]);
    assert_eq!(db.rows().await.len(), 2);
    queue.close();
    assert_eq!(lost_rows(writer).await, 1);
}

#[tokio::test]
async fn an_outage_between_refusing_a_row_and_accepting_it_reduced_loses_nothing() {
    let (db, sink) = db_that_rejects_poison().await;
    let (queue, writer) = start(&sink);
    sink.script([Step::Write, Step::Unavailable, Step::Unavailable]);

    commit(&queue, poison_row(Outcome::Timeout)).await.unwrap();

    assert_eq!(db.only_row().await["outcome"], "timeout");
    queue.close();
    assert_eq!(lost_rows(writer).await, 0);
}

#[tokio::test]
async fn an_outage_while_a_group_is_halved_loses_nothing() {
    let (db, sink) = db_that_rejects_poison().await;
    let (queue, _writer) = start(&sink);
    sink.hold(true);
    let first = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.wait_for_writes(1).await;
    sink.script([Step::Write, Step::Write, Step::Unavailable, Step::WriteWithoutAnswer]);
    let receipts: Vec<_> = (0..8)
        .map(|number| {
            if number == 5 {
                poison_row(Outcome::Timeout)
            } else {
                complete_row(Outcome::Succeeded)
            }
        })
        .map(|row| queue.reserve(&owner(), false).unwrap().close(row))
        .collect();
    sink.hold(false);

    first.committed_within(TIMEOUT).await.unwrap();
    let committed = future::join_all(receipts.into_iter().map(|receipt| receipt.committed_within(TIMEOUT))).await;

    assert!(committed.iter().all(Result::is_ok), "{committed:?}");
    assert_eq!(db.rows().await.len(), 9);
}
