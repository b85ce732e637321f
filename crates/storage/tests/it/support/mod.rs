//! Shared by the tests: a migrated database, rows, and reading them back.

mod sink;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeZone as _, Utc};
use model::{CompanyId, FixedClock, RequestStamp, RequestType, Surface};
use serde_json::{Value, json};
use shares::Owner;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use storage::{
    Closing, Database, FixedColumns, LogQueue, LogRow, Outcome, PgRequestLog, QueueSettings, RowLimits, StorageError,
};
use testkit::TestDatabase;
use tokio::task::JoinHandle;

pub(crate) use sink::{Step, WatchedSink};

/// The minimal role of a running gateway.
const RUNTIME_ROLE: &str = include_str!("../../../../../migrations/roles/runtime.sql");

/// A migrated database.
pub(crate) struct Db {
    /// With all rights.
    pub(crate) test: TestDatabase,
    /// With those of the minimal role.
    pub(crate) database: Database,
}

impl Db {
    pub(crate) async fn new() -> Self {
        let migrations = sqlx::migrate!("../../migrations");
        let fingerprint = testkit::fingerprint(&migrations) + RUNTIME_ROLE;
        let migrate = async |pool: PgPool| {
            Database::from(pool.clone()).migrate().await?;
            sqlx::raw_sql(RUNTIME_ROLE).execute(&pool).await?;
            Ok::<_, StorageError>(())
        };
        let test = TestDatabase::create(&fingerprint, migrate).await;
        let options: PgConnectOptions = test.url().parse().unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .connect_lazy_with(options.options([("role", "dbt_gateway_runtime")]));
        let database = Database::from(pool);
        Self { test, database }
    }

    /// The address of the database with the rights of the minimal role.
    pub(crate) fn url(&self) -> String {
        as_runtime_role(&self.test.url())
    }

    pub(crate) fn log(&self) -> PgRequestLog {
        PgRequestLog::new(&self.database, TIMEOUT)
    }

    /// Runs statements and ignores their results.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(self.test.pool()).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::query_scalar(sql).fetch_one(self.test.pool()).await.unwrap()
    }

    /// The rows of a table as objects, ordered by that column.
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

    /// Waits until a statement with that start waits for a lock.
    pub(crate) async fn blocked(&self, start: &str) {
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '{start}%'"
        );
        self.wait_until(&waiting, |statements| statements > 0).await;
    }

    /// Repeats a query until its number fulfils the condition.
    pub(crate) async fn wait_until(&self, sql: &str, condition: impl Fn(i64) -> bool) {
        let fulfilled = async { while !condition(self.number(sql).await) {} };
        tokio::time::timeout(TIMEOUT, fulfilled).await.unwrap();
    }

    /// A connection to the same server, but not to this database.
    pub(crate) async fn connect_to_server(&self) -> PgConnection {
        let options: sqlx::postgres::PgConnectOptions = self.test.url().parse().unwrap();
        PgConnection::connect_with(&options.database("postgres")).await.unwrap()
    }

    /// A connection to this database outside the pool.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.test.url()).await.unwrap()
    }

    pub(crate) async fn name(&self) -> String {
        let sql = "SELECT current_database()::text";
        sqlx::query_scalar(sql).fetch_one(self.test.pool()).await.unwrap()
    }
}

/// The address with the rights of the minimal role.
pub(crate) fn as_runtime_role(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options=-c%20role%3Ddbt_gateway_runtime")
}

/// Ends a test that would otherwise wait for ever.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

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

/// The owner of the tests' rows.
pub(crate) fn owner() -> Owner {
    Owner::key(1, 1)
}

/// Queues a row that is written once, and waits for its commit.
pub(crate) async fn commit(queue: &LogQueue, row: LogRow) -> Result<(), storage::LogError> {
    queue
        .reserve(&owner(), false)?
        .close(row)
        .committed_within(TIMEOUT)
        .await
}

/// Waits for the end of the writer; returns the number of lost rows.
pub(crate) async fn lost_rows(writer: JoinHandle<usize>) -> usize {
    tokio::time::timeout(TIMEOUT, writer).await.unwrap().unwrap()
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

/// The complete row of a request that arrived at noon and ended with that outcome.
pub(crate) fn complete_row(outcome: Outcome) -> LogRow {
    complete_row_with(outcome, &json!({"project_id": 7}))
}

pub(crate) fn complete_row_with(outcome: Outcome, args: &Value) -> LogRow {
    let stamp = stamp_at(noon());
    fixed_with(&stamp, args).closed(closing(&stamp, outcome))
}

/// The partition of each row, ordered by arrival.
pub(crate) async fn partition_names(db: &Db) -> Vec<String> {
    let sql = "SELECT tableoid::regclass::text FROM request_log ORDER BY started_at";
    sqlx::query_scalar(sql).fetch_all(db.test.pool()).await.unwrap()
}

/// Leaves a partition half detached, like a process that dies while it detaches it.
pub(crate) async fn leave_half_detached(db: &Db, partition: &str) {
    let mut reader = db.test.pool().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM request_log")
        .execute(&mut *reader)
        .await
        .unwrap();
    let mut dying = db.connect().await;
    let detach = format!("ALTER TABLE request_log DETACH PARTITION {partition} CONCURRENTLY");
    let detaching = tokio::spawn(async move { sqlx::raw_sql(AssertSqlSafe(detach)).execute(&mut dying).await });
    // It waits for the reader after it has marked the partition as pending.
    let pending =
        format!("SELECT count(*) FROM pg_inherits WHERE inhrelid = '{partition}'::regclass AND inhdetachpending");
    db.wait_until(&pending, |partitions| partitions == 1).await;
    db.run(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'ALTER TABLE request_log DETACH%'",
    )
    .await;
    assert!(detaching.await.unwrap().is_err(), "it waits for the reader");
    reader.rollback().await.unwrap();
    assert_eq!(db.number(&pending).await, 1);
}
