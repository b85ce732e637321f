//! Postgres goes away and comes back: nothing is lost, nothing is there twice.

use std::sync::Arc;
use std::time::Duration;

use futures::future;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use storage::{LogError, Outcome, PgRequestLog};

use crate::support::{Db, Does, PATIENCE, WatchedSink, commit, ended, start, whole};

/// The database as its clients see a server that stopped: connections broken, new ones refused.
struct Outage {
    beside: PgConnection,
    name: String,
}

impl Outage {
    async fn of(db: &Db) -> Self {
        let (name, beside) = (db.name().await, db.beside().await);
        let mut outage = Self { beside, name };
        outage
            .run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", outage.name))
            .await;
        let kill = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = ";
        outage.run(&format!("{kill} '{}'", outage.name)).await;
        outage
    }

    async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut self.beside).await.unwrap();
    }

    async fn end(mut self) {
        self.run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name))
            .await;
        self.beside.close().await.unwrap();
    }
}

#[tokio::test]
async fn rows_wait_for_the_database_to_come_back() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    commit(&queue, whole(Outcome::Succeeded)).await.unwrap();

    let outage = Outage::of(&db).await;
    let receipts: Vec<_> = (0..10)
        .map(|_| queue.reserve(false).unwrap().close(whole(Outcome::Succeeded)))
        .collect();
    sink.failed_again(3).await;
    outage.end().await;

    let committed = future::join_all(receipts.into_iter().map(|receipt| receipt.committed_within(PATIENCE))).await;
    assert!(committed.iter().all(Result::is_ok));
    assert_eq!(db.rows().await.len(), 11);
}

#[tokio::test]
async fn the_first_row_may_come_while_the_database_is_away() {
    let db = Db::new().await;
    let outage = Outage::of(&db).await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    let receipt = queue.reserve(false).unwrap().close(whole(Outcome::Succeeded));
    sink.failed_again(1).await;
    outage.end().await;
    receipt.committed_within(PATIENCE).await.unwrap();
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn a_connection_killed_between_two_rows_costs_neither() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    for _ in 0..3 {
        commit(&queue, whole(Outcome::Succeeded)).await.unwrap();
        let kill = "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'dbt-gateway request log'";
        assert_eq!(db.number(kill).await, 1, "the log has a connection of its own");
    }
    commit(&queue, whole(Outcome::Succeeded)).await.unwrap();
    assert_eq!(db.rows().await.len(), 4);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_sent_again_and_not_doubled() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    sink.then([Does::WriteAndLoseTheAnswer, Does::WriteAndLoseTheAnswer]);
    let (queue, _writer) = start(&sink);

    commit(&queue, whole(Outcome::Succeeded)).await.unwrap();

    assert_eq!(sink.groups(), [1, 1, 1]);
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn a_database_that_hangs_is_given_up_and_asked_again() {
    let db = Db::new().await;
    let impatient = PgRequestLog::new(&db.database, Duration::from_millis(100));
    let sink = Arc::new(WatchedSink::on(impatient));
    let (queue, _writer) = start(&sink);
    let mut lock = db.test.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();

    let receipt = queue.reserve(false).unwrap().close(whole(Outcome::Succeeded));
    sink.failed_again(2).await;
    lock.rollback().await.unwrap();

    receipt.committed_within(PATIENCE).await.unwrap();
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn who_waits_hears_in_time_that_the_row_is_not_written_yet() {
    let db = Db::new().await;
    let outage = Outage::of(&db).await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, writer) = start(&sink);

    let receipt = queue.reserve(false).unwrap().close(whole(Outcome::Succeeded));
    let waited = receipt.committed_within(Duration::from_millis(50)).await;
    assert_eq!(waited, Err(LogError::Unavailable));

    // Nobody waits any more, and it is written all the same.
    outage.end().await;
    queue.close();
    assert_eq!(ended(writer).await, 0);
    assert_eq!(db.rows().await.len(), 1);
}
