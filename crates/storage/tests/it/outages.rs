//! Outages of Postgres: no row is lost or duplicated.

use std::sync::Arc;
use std::time::Duration;

use futures::future;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use storage::{LogError, Outcome, PgRequestLog};

use crate::support::{Db, Step, TIMEOUT, WatchedSink, commit, complete_row, lost_rows, owner, start};

/// Breaks the connections to the database and refuses new ones, like a server that stopped.
struct Outage {
    server: PgConnection,
    name: String,
}

impl Outage {
    async fn of(db: &Db) -> Self {
        let (name, server) = (db.name().await, db.connect_to_server().await);
        let mut outage = Self { server, name };
        outage
            .run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", outage.name))
            .await;
        let kill = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = ";
        outage.run(&format!("{kill} '{}'", outage.name)).await;
        outage
    }

    async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut self.server).await.unwrap();
    }

    async fn end(mut self) {
        self.run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name))
            .await;
        self.server.close().await.unwrap();
    }
}

#[tokio::test]
async fn rows_wait_for_the_database_to_come_back() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();

    let outage = Outage::of(&db).await;
    let receipts: Vec<_> = (0..10)
        .map(|_| {
            queue
                .reserve(&owner(), false)
                .unwrap()
                .close(complete_row(Outcome::Succeeded))
        })
        .collect();
    sink.wait_for_failures(3).await;
    outage.end().await;

    let committed = future::join_all(receipts.into_iter().map(|receipt| receipt.committed_within(TIMEOUT))).await;
    assert!(committed.iter().all(Result::is_ok));
    assert_eq!(db.rows().await.len(), 11);
}

#[tokio::test]
async fn the_first_row_may_be_queued_while_the_database_is_unavailable() {
    let db = Db::new().await;
    let outage = Outage::of(&db).await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    let receipt = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.wait_for_failures(1).await;
    outage.end().await;
    receipt.committed_within(TIMEOUT).await.unwrap();
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn a_connection_killed_between_two_rows_loses_neither() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    for _ in 0..3 {
        commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();
        let kill = "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'dbt-gateway request log'";
        assert_eq!(db.number(kill).await, 1, "the log has its own connection");
    }
    commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();
    assert_eq!(db.rows().await.len(), 4);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_repeated_without_duplicates() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    sink.script([Step::WriteWithoutAnswer, Step::WriteWithoutAnswer]);
    let (queue, _writer) = start(&sink);

    commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();

    assert_eq!(sink.groups(), [1, 1, 1]);
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn a_write_that_hangs_is_cancelled_and_repeated() {
    let db = Db::new().await;
    let short_timeout = PgRequestLog::new(&db.database, Duration::from_millis(100));
    let sink = Arc::new(WatchedSink::on(short_timeout));
    let (queue, _writer) = start(&sink);
    let mut lock = db.test.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();

    let receipt = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    sink.wait_for_failures(2).await;
    lock.rollback().await.unwrap();

    receipt.committed_within(TIMEOUT).await.unwrap();
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn waiting_for_a_commit_times_out_while_the_row_stays_queued() {
    let db = Db::new().await;
    let outage = Outage::of(&db).await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, writer) = start(&sink);

    let receipt = queue
        .reserve(&owner(), false)
        .unwrap()
        .close(complete_row(Outcome::Succeeded));
    let waited = receipt.committed_within(Duration::from_millis(50)).await;
    assert_eq!(waited, Err(LogError::Unavailable));

    // Written although no receipt is awaited.
    outage.end().await;
    queue.close();
    assert_eq!(lost_rows(writer).await, 0);
    assert_eq!(db.rows().await.len(), 1);
}
