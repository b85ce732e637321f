//! Closing the log: queued and reserved rows are written, lost rows are counted.

use std::sync::Arc;

use storage::{LogError, Outcome};

use crate::support::{Db, Step, TIMEOUT, WatchedSink, commit, complete_row, lost_rows, owner, start};

#[tokio::test]
async fn rows_queued_when_the_log_is_closed_are_written() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, writer) = start(&sink);
    sink.hold(true);
    for _ in 0..250 {
        drop(
            queue
                .reserve(&owner(), false)
                .unwrap()
                .close(complete_row(Outcome::Succeeded)),
        );
    }
    sink.wait_for_writes(1).await;
    queue.close();
    sink.hold(false);

    assert_eq!(lost_rows(writer).await, 0);
    assert_eq!(db.rows().await.len(), 250);
}

#[tokio::test]
async fn the_writer_waits_for_a_row_that_was_reserved_before() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, mut writer) = start(&sink);
    let slot = queue.reserve(&owner(), false).unwrap();
    queue.close();
    // The paused clock reaches the timeout only after the writer is idle.
    tokio::time::pause();
    let ended = tokio::time::timeout(TIMEOUT, &mut writer).await;
    tokio::time::resume();
    assert!(ended.is_err(), "a reserved row is not written yet");

    slot.close(complete_row(Outcome::Succeeded))
        .committed_within(TIMEOUT)
        .await
        .unwrap();
    assert_eq!(lost_rows(writer).await, 0);
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_log_refuses_reservations_also_while_it_writes() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, writer) = start(&sink);
    sink.hold(true);
    let receipt = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.wait_for_writes(1).await;

    queue.close();
    assert_eq!(queue.reserve(&owner(), false).unwrap_err(), LogError::Closed);
    assert_eq!(queue.reserve(&owner(), true).unwrap_err(), LogError::Closed);

    sink.hold(false);
    assert_eq!(receipt.committed_within(TIMEOUT).await, Ok(()));
    assert_eq!(lost_rows(writer).await, 0);
    assert_eq!(
        commit(&queue, complete_row(Outcome::Succeeded)).await,
        Err(LogError::Closed)
    );
}

#[tokio::test(start_paused = true)]
async fn rows_that_the_database_does_not_accept_are_lost_and_counted() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, writer) = start(&sink);
    sink.script([Step::Unavailable; 1000]);
    let receipts: Vec<_> = (0..150)
        .map(|_| {
            queue
                .reserve(&owner(), false)
                .unwrap()
                .close(complete_row(Outcome::Succeeded))
        })
        .collect();
    sink.wait_for_failures(3).await;

    queue.close();
    queue.give_up();

    assert_eq!(lost_rows(writer).await, 150);
    for receipt in receipts {
        assert_eq!(receipt.committed_within(TIMEOUT).await, Err(LogError::Unavailable));
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_ends_the_writer_although_a_commit_hangs_and_a_slot_is_held() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, writer) = start(&sink);
    let held = queue.reserve(&owner(), false).unwrap();
    sink.hold(true);
    let receipts: Vec<_> = (0..150)
        .map(|_| {
            queue
                .reserve(&owner(), false)
                .unwrap()
                .close(complete_row(Outcome::Succeeded))
        })
        .collect();
    sink.wait_for_writes(1).await;

    queue.give_up();

    assert_eq!(lost_rows(writer).await, 150);
    for receipt in receipts {
        assert_eq!(receipt.committed_within(TIMEOUT).await, Err(LogError::Unavailable));
    }
    assert_eq!(queue.reserve(&owner(), false).unwrap_err(), LogError::Closed);
    let late = held.close(complete_row(Outcome::Succeeded));
    assert_eq!(late.committed_within(TIMEOUT).await, Err(LogError::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_queue_says_for_how_long_commits_have_been_failing() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, _writer) = start(&sink);
    assert_eq!(queue.failing_for(), None);
    sink.script([Step::Unavailable; 3]);
    let receipt = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.wait_for_failures(1).await;
    sink.wait_for_failures(1).await;
    assert!(queue.failing_for().is_some());
    receipt.committed_within(TIMEOUT).await.unwrap();
    assert_eq!(queue.failing_for(), None);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_must_not_be_refused_is_queued_beside_a_full_queue() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, writer) = start(&sink);
    sink.hold(true);
    let mut held = Vec::new();
    while let Ok(slot) = queue.reserve(&owner(), true) {
        held.push(slot);
    }
    let receipt = queue
        .reserve_unrefused()
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.hold(false);
    receipt.committed_within(TIMEOUT).await.unwrap();
    queue.close();
    assert_eq!(queue.reserve_unrefused().unwrap_err(), LogError::Closed);
    drop(held);
    assert_eq!(lost_rows(writer).await, 0);
}
