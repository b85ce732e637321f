//! The end of the process: what was promised is written, what cannot be is counted.

use std::sync::Arc;

use futures::FutureExt as _;
use storage::{LogError, Outcome};

use crate::support::{Db, Does, PATIENCE, WatchedSink, commit, ended, start, whole};

#[tokio::test]
async fn what_is_queued_when_the_log_is_closed_is_written() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, writer) = start(&sink);
    sink.hold(true);
    for _ in 0..250 {
        drop(queue.reserve(false).unwrap().close(whole(Outcome::Succeeded)));
    }
    sink.begun(1).await;
    queue.close();
    sink.hold(false);

    assert_eq!(ended(writer).await, 0);
    assert_eq!(db.rows().await.len(), 250);
}

#[tokio::test]
async fn the_writer_waits_for_a_row_that_was_promised_before() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, mut writer) = start(&sink);
    let slot = queue.reserve(false).unwrap();
    queue.close();
    // The writer has seen that it is closing once nobody gets a place any more.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!((&mut writer).now_or_never().is_none(), "a row is still to come");

    slot.close(whole(Outcome::Succeeded))
        .committed_within(PATIENCE)
        .await
        .unwrap();
    assert_eq!(ended(writer).await, 0);
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_log_promises_nothing_more_not_even_while_it_is_busy() {
    let sink = Arc::new(WatchedSink::to_nowhere());
    let (queue, writer) = start(&sink);
    sink.hold(true);
    let receipt = queue.reserve(false).unwrap().close(whole(Outcome::Succeeded));
    sink.begun(1).await;

    queue.close();
    assert_eq!(queue.reserve(false).unwrap_err(), LogError::Closed);
    assert_eq!(queue.reserve(true).unwrap_err(), LogError::Closed);

    sink.hold(false);
    assert_eq!(receipt.committed_within(PATIENCE).await, Ok(()));
    assert_eq!(ended(writer).await, 0);
    assert_eq!(commit(&queue, whole(Outcome::Succeeded)).await, Err(LogError::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_the_database_does_not_take_is_given_up_and_counted() {
    let sink = Arc::new(WatchedSink::to_nowhere());
    let (queue, writer) = start(&sink);
    sink.then([Does::BeAway; 1000]);
    let receipts: Vec<_> = (0..150)
        .map(|_| queue.reserve(false).unwrap().close(whole(Outcome::Succeeded)))
        .collect();
    sink.failed_again(3).await;

    queue.close();
    queue.give_up();

    assert_eq!(ended(writer).await, 150);
    for receipt in receipts {
        assert_eq!(receipt.committed_within(PATIENCE).await, Err(LogError::Unavailable));
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_does_not_give_up_what_the_database_takes() {
    let sink = Arc::new(WatchedSink::to_nowhere());
    let (queue, writer) = start(&sink);
    sink.hold(true);
    for _ in 0..150 {
        drop(queue.reserve(false).unwrap().close(whole(Outcome::Succeeded)));
    }
    queue.close();
    queue.give_up();
    sink.hold(false);
    assert_eq!(ended(writer).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_row_refused_while_giving_up_is_tried_reduced_once_and_counted() {
    let sink = Arc::new(WatchedSink::to_nowhere());
    let (queue, writer) = start(&sink);
    queue.give_up();
    sink.then([Does::Refuse, Does::BeAway]);
    let lost = commit(&queue, whole(Outcome::Succeeded)).await;
    assert_eq!(lost, Err(LogError::Unavailable));
    queue.close();
    assert_eq!(ended(writer).await, 1);
}
