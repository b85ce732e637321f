//! What the tests share: a migrated database, rows to write, and how to read them back.

mod sink;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeZone as _, Utc};
use model::{CompanyId, FixedClock, RequestStamp, RequestType, Surface};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use storage::{Closing, Database, FixedColumns, LogQueue, LogRow, Outcome, PgRequestLog, QueueSettings, RowLimits};
use testkit::TestDatabase;
use tokio::task::JoinHandle;

pub(crate) use sink::{Does, WatchedSink};

/// A database with our tables.
pub(crate) struct Db {
    pub(crate) test: TestDatabase,
    pub(crate) database: Database,
}

impl Db {
    pub(crate) async fn new() -> Self {
        let migrations = sqlx::migrate!("../../migrations");
        let fingerprint = testkit::fingerprint(&migrations);
        let migrate = async |pool| Database::from(pool).migrate().await;
        let test = TestDatabase::create(&fingerprint, migrate).await;
        let database = Database::from(test.pool().clone());
        Self { test, database }
    }

    pub(crate) fn log(&self) -> PgRequestLog {
        PgRequestLog::new(&self.database, PATIENCE)
    }

    /// Runs statements whose result does not matter.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(self.test.pool()).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::query_scalar(sql).fetch_one(self.test.pool()).await.unwrap()
    }

    /// The rows of a table as objects, in the order of that column.
    pub(crate) async fn table(&self, table: &str, order_by: &str) -> Vec<Value> {
        let sql = AssertSqlSafe(format!("SELECT to_jsonb(t) FROM {table} t ORDER BY {order_by}"));
        sqlx::query_scalar(sql).fetch_all(self.test.pool()).await.unwrap()
    }

    pub(crate) async fn rows(&self) -> Vec<Value> {
        self.table("request_log", "started_at, request_uuid").await
    }

    pub(crate) async fn only_row(&self) -> Value {
        let mut rows = self.rows().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// Waits until a statement that begins so waits for a lock.
    pub(crate) async fn blocked(&self, beginning: &str) {
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '{beginning}%'"
        );
        let until_one_waits = async { while self.number(&waiting).await == 0 {} };
        tokio::time::timeout(PATIENCE, until_one_waits).await.unwrap();
    }

    /// A connection to the same server, but not to this database.
    pub(crate) async fn beside(&self) -> PgConnection {
        let options: sqlx::postgres::PgConnectOptions = self.test.url().parse().unwrap();
        PgConnection::connect_with(&options.database("postgres")).await.unwrap()
    }

    /// A connection to this database that does not come from the pool.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.test.url()).await.unwrap()
    }

    pub(crate) async fn name(&self) -> String {
        let sql = "SELECT current_database()::text";
        sqlx::query_scalar(sql).fetch_one(self.test.pool()).await.unwrap()
    }
}

/// Longer than anything here takes: it ends a test that would otherwise wait for ever.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn queue_settings() -> QueueSettings {
    QueueSettings {
        capacity: 1000,
        group_max_rows: 100,
        retry_min: Duration::from_millis(1),
        retry_max: Duration::from_millis(10),
    }
}

pub(crate) fn start(sink: &Arc<WatchedSink>) -> (LogQueue, JoinHandle<usize>) {
    let sink: Arc<WatchedSink> = Arc::clone(sink);
    LogQueue::start(sink, queue_settings(), Arc::default())
}

/// Queues a row that is written once, and waits for its commit.
pub(crate) async fn commit(queue: &LogQueue, row: LogRow) -> Result<(), storage::LogError> {
    queue.reserve(false)?.close(row).committed_within(PATIENCE).await
}

/// How many rows the writer gave up; it has to end.
pub(crate) async fn ended(writer: JoinHandle<usize>) -> usize {
    tokio::time::timeout(PATIENCE, writer).await.unwrap().unwrap()
}

pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 4, 12, 0, 0).unwrap()
}

/// A request that arrives at `moment`.
pub(crate) fn stamp_at(moment: DateTime<Utc>) -> RequestStamp {
    RequestStamp::now(&FixedClock::at(moment), Surface::Rest, None)
}

pub(crate) fn fixed(stamp: &RequestStamp) -> FixedColumns {
    fixed_with(stamp, &json!({"project_id": 7}))
}

pub(crate) fn fixed_with(stamp: &RequestStamp, args: &Value) -> FixedColumns {
    FixedColumns::new(
        stamp,
        RequestType::GetProject,
        CompanyId(1),
        args,
        &RowLimits::default(),
    )
}

pub(crate) fn closing(stamp: &RequestStamp, outcome: Outcome) -> Closing {
    let later = stamp.started_at() + chrono::TimeDelta::seconds(1);
    Closing::new(outcome, stamp, later, None, &RowLimits::default())
}

/// A whole row of a request that arrived at noon and ended so.
pub(crate) fn whole(outcome: Outcome) -> LogRow {
    whole_with(outcome, &json!({"project_id": 7}))
}

pub(crate) fn whole_with(outcome: Outcome, args: &Value) -> LogRow {
    let stamp = stamp_at(noon());
    fixed_with(&stamp, args).closed(closing(&stamp, outcome))
}

/// The partition of each row, in the order of time.
pub(crate) async fn homes(db: &Db) -> Vec<String> {
    let sql = "SELECT tableoid::regclass::text FROM request_log ORDER BY started_at";
    sqlx::query_scalar(sql).fetch_all(db.test.pool()).await.unwrap()
}

/// Leaves a partition as a process does that dies while it takes it out of the log.
pub(crate) async fn half_detach(db: &Db, partition: &str) {
    let mut reader = db.test.pool().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM request_log")
        .execute(&mut *reader)
        .await
        .unwrap();
    let mut dying = db.connect().await;
    sqlx::raw_sql("SET statement_timeout = 200")
        .execute(&mut dying)
        .await
        .unwrap();
    let detach = format!("ALTER TABLE request_log DETACH PARTITION {partition} CONCURRENTLY");
    let detached = sqlx::raw_sql(AssertSqlSafe(detach)).execute(&mut dying).await;
    assert!(detached.is_err(), "it waits for the reader");
    reader.rollback().await.unwrap();
    let pending =
        format!("SELECT count(*) FROM pg_inherits WHERE inhrelid = '{partition}'::regclass AND inhdetachpending");
    assert_eq!(db.number(&pending).await, 1);
}
