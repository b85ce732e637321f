//! Rows share commits, and a single row is written without delay.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future;
use shares::Owner;
use storage::{LogError, LogQueue, Outcome, QueueSettings};
use tokio::time::Instant;

use crate::support::{
    Db, TIMEOUT, WatchedSink, closing, commit, complete_row, fixed, lost_rows, noon, owner, queue_settings, stamp_at,
    start,
};

#[tokio::test]
async fn rows_queued_during_a_commit_share_the_next_commits() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    sink.hold(true);
    let row = || {
        queue
            .reserve(&owner(), false)
            .unwrap()
            .close(complete_row(Outcome::Succeeded))
    };
    let mut receipts = vec![row()];
    sink.wait_for_writes(1).await;
    receipts.extend((0..200).map(|_| row()));
    sink.hold(false);

    let committed = future::join_all(receipts.into_iter().map(|receipt| receipt.committed_within(TIMEOUT))).await;

    assert!(committed.iter().all(Result::is_ok));
    assert_eq!(sink.groups(), [1, 100, 100]);
    // Rows of one transaction have the same xmin.
    let sql = "SELECT count(DISTINCT xmin::text) FROM request_log";
    assert_eq!(db.number(sql).await, 3);
    assert_eq!(db.rows().await.len(), 201);
}

#[tokio::test]
async fn rows_of_many_tasks_share_commits() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    let tasks = (0..500).map(|_| {
        let queue = queue.clone();
        tokio::spawn(async move { commit(&queue, complete_row(Outcome::Succeeded)).await })
    });

    for committed in future::join_all(tasks.collect::<Vec<_>>()).await {
        committed.unwrap().unwrap();
    }

    assert_eq!(db.rows().await.len(), 500);
    assert!(sink.groups().len() <= 50, "{:?}", sink.groups());
}

#[tokio::test(start_paused = true)]
async fn an_idle_gateway_writes_a_row_immediately() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, _writer) = start(&sink);
    let begun = Instant::now();
    for written in 1..=3 {
        commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();
        assert_eq!(sink.groups(), vec![1; written]);
    }
    assert!(begun.elapsed().is_zero(), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_row_opened_and_closed_within_one_group_is_written_once_and_resolves_both_receipts() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, _writer) = start(&sink);
    let stamp = stamp_at(noon());
    let part = Arc::new(fixed(&stamp));
    let mut slot = queue.reserve(&owner(), true).unwrap();
    let opened = slot.open(part.open()).unwrap();
    let closed = slot.close(part.open().close(closing(&stamp, Outcome::Succeeded)));

    assert_eq!(
        future::join(opened.committed_within(TIMEOUT), closed.committed_within(TIMEOUT)).await,
        (Ok(()), Ok(()))
    );
    assert_eq!(sink.groups(), [1]);
}

#[tokio::test]
async fn a_close_never_overtakes_its_open() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let small = QueueSettings {
        group_max_rows: 3,
        ..queue_settings()
    };
    let log: Arc<WatchedSink> = Arc::clone(&sink);
    let (queue, _writer) = LogQueue::start(log, small, Arc::default());
    let mut receipts = Vec::new();
    let mut requests = HashSet::new();
    for _ in 0..50 {
        let stamp = stamp_at(noon());
        let part = Arc::new(fixed(&stamp));
        let mut slot = queue.reserve(&owner(), true).unwrap();
        receipts.push(slot.open(part.open()).unwrap());
        receipts.push(slot.close(part.open().close(closing(&stamp, Outcome::Succeeded))));
        requests.insert(stamp.request_uuid());
    }
    for receipt in receipts {
        receipt.committed_within(TIMEOUT).await.unwrap();
    }
    let closed = "SELECT count(*) FROM request_log WHERE outcome = 'succeeded' AND finished_at IS NOT NULL";
    assert_eq!(db.number(closed).await, 50);
    assert_eq!(requests.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_opens_one_row() {
    let sink = Arc::new(WatchedSink::without_database());
    let (queue, _writer) = start(&sink);
    let part = Arc::new(fixed(&stamp_at(noon())));
    let mut once = queue.reserve(&owner(), true).unwrap();
    assert!(once.open(part.open()).is_ok());
    assert!(once.open(part.open()).is_err());
    let mut never = queue.reserve(&owner(), false).unwrap();
    assert!(never.open(part.open()).is_err());
}

#[tokio::test(start_paused = true)]
async fn companies_share_the_queue_and_room_is_given_back() {
    let sink: Arc<WatchedSink> = Arc::new(WatchedSink::without_database());
    let short = QueueSettings {
        capacity: 4,
        ..queue_settings()
    };
    let (queue, _writer) = LogQueue::start(sink, short, Arc::default());
    let used = || queue.rows().usage().used;
    let refused = |owner: &Owner, opens| match queue.reserve(owner, opens) {
        Err(LogError::QueueFull(exhausted)) => exhausted.whose,
        other => panic!("{other:?}"),
    };
    let one = queue.reserve(&owner(), false).unwrap();
    let two = queue.reserve(&owner(), true).unwrap();
    assert_eq!(used(), 3);
    assert_eq!(refused(&owner(), false), "company", "the last slot is for others");
    let other = Owner::key(2, 2);
    assert_eq!(refused(&other, true), "process");
    assert_eq!(used(), 3, "a refused reservation takes nothing");
    let three = queue.reserve(&other, false).unwrap();

    drop((one, three));
    assert_eq!(used(), 2);
    drop(two);
    assert_eq!(used(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_no_room_once_its_row_is_open_and_its_close_is_never_refused() {
    let sink: Arc<WatchedSink> = Arc::new(WatchedSink::without_database());
    let short = QueueSettings {
        capacity: 2,
        ..queue_settings()
    };
    let (queue, writer) = LogQueue::start(Arc::<WatchedSink>::clone(&sink), short, Arc::default());
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut slot = queue.reserve(&owner(), true).unwrap();
        let row = complete_row(Outcome::Succeeded);
        let opened = slot.open(row.clone()).unwrap();
        assert_eq!(opened.committed_within(TIMEOUT).await, Ok(()));
        slot.becomes_stream();
        assert_eq!(queue.rows().usage().used, 0);
        streams.push((slot, row));
    }
    sink.hold(true);
    let receipts: Vec<_> = streams.into_iter().map(|(slot, row)| slot.close(row)).collect();
    sink.hold(false);
    for receipt in receipts {
        assert_eq!(receipt.committed_within(TIMEOUT).await, Ok(()));
    }
    queue.close();
    assert_eq!(lost_rows(writer).await, 0);
}
