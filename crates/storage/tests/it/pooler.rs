//! Behind a connection pooler in transaction mode: what works, and what is refused at start in words.
//!
//! With the pooler of `testkit`, which behaves like PgBouncer; `pgbouncer` has the tests with PgBouncer itself.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future;
use model::{CompanyId, RequestStamp, Role, Surface, SystemClock};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use storage::{
    AbandonedSweep, ApiKeys, Companies, CreateKey, Database, DatabaseSettings, Heartbeat, Instances, LogFilter,
    LogQueue, LogReadSettings, LogVisibility, MigrationSettings, Outcome, PageLimit, Partitions, PgRequestLog,
    PoolerError, RequestLog as _, RequestLogs, StorageError,
};
use testkit::{Statements, TransactionPooler};

use crate::support::{
    Db, TIMEOUT, as_runtime_role, closing, commit, complete_row, fixed, noon, queue_settings, stamp_at,
};

/// Few sessions for many clients.
const SESSIONS: usize = 3;

pub(crate) fn database(url: &str, direct_url: Option<String>) -> Database {
    Database::new(&DatabaseSettings {
        url: url.into(),
        direct_url: direct_url.map(Into::into),
        max_connections: 5,
        acquire_timeout: TIMEOUT,
        statement_timeout: TIMEOUT,
        migrations: MigrationSettings::default(),
    })
    .unwrap()
}

async fn pooler(db: &Db, statements: Statements) -> TransactionPooler {
    let options: PgConnectOptions = db.test.url().parse().unwrap();
    TransactionPooler::start(&options, SESSIONS, statements).await
}

pub(crate) fn problem(result: Result<(), StorageError>) -> PoolerError {
    match result.unwrap_err() {
        StorageError::Pooler(problem) => problem,
        other => panic!("{other:?}"),
    }
}

fn stamp() -> RequestStamp {
    RequestStamp::now(&SystemClock, Surface::Internal, None)
}

#[expect(clippy::disallowed_methods, reason = "the database uses the clock of this machine")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Everything that a gateway does with its database, by many clients at once.
pub(crate) async fn everything_works(database: &Database) {
    database.require_schema().await.unwrap();
    database.migrate().await.unwrap();
    assert!(database.schema().await.unwrap().is_sufficient());
    let instances = Instances::new(database);
    let id = instances.register("host", "0.1.0").await.unwrap();
    let mut heartbeat = Heartbeat::new(database, id, TIMEOUT);
    let mut sweep = AbandonedSweep::new(database, Duration::from_secs(30));
    let partitions = Partitions::new(database, Duration::from_millis(200));
    let logs: Vec<_> = (0..4).map(|_| PgRequestLog::new(database, TIMEOUT)).collect();
    let reader = RequestLogs::new(
        database,
        &LogReadSettings {
            connections: 2,
            acquire_timeout: TIMEOUT,
            statement_timeout: TIMEOUT,
        },
    );
    let filter = LogFilter::default();
    let (keys, companies) = (ApiKeys::new(database), Companies::new(database));
    let write = async |log: &PgRequestLog| {
        for _ in 0..5 {
            let stamp = stamp_at(noon());
            let open = Arc::new(fixed(&stamp)).open();
            log.write(&[open.clone(), complete_row(Outcome::Succeeded)])
                .await
                .unwrap();
            log.write(&[open.close(closing(&stamp, Outcome::Succeeded))])
                .await
                .unwrap();
        }
    };
    let read = async {
        let limit = PageLimit {
            rows: 100,
            bytes: 1 << 20,
        };
        for _ in 0..10 {
            let page = reader.page(CompanyId(1), &LogVisibility::All, &filter, None, limit);
            page.await.unwrap();
        }
    };
    let change = async |number: usize| {
        for round in 0..3 {
            companies
                .create(&stamp(), &format!("acme {number}.{round}"))
                .await
                .unwrap();
            let new = CreateKey::new(CompanyId(1), "one", Role::Viewer);
            keys.create(&stamp(), &new).await.unwrap();
            keys.list(CompanyId(1)).await.unwrap();
        }
    };
    let keep = async {
        for _ in 0..5 {
            heartbeat.beat().await.unwrap();
            assert_eq!(sweep.run().await.unwrap(), 0);
            partitions.make_ahead(now().date_naive()).await.unwrap();
            partitions.drop_expired(now().date_naive(), 36_500).await.unwrap();
            instances.remove_old(Duration::from_hours(24), 10).await.unwrap();
        }
    };
    future::join4(
        future::join_all(logs.iter().map(write)),
        read,
        future::join_all((0..3).map(change)),
        keep,
    )
    .await;
    let limit = PageLimit {
        rows: 100,
        bytes: 1 << 20,
    };
    let page = reader.page(CompanyId(1), &LogVisibility::All, &filter, None, limit);
    assert_eq!(page.await.unwrap().records.len(), 4 * 5 * 2 + 3 * 3);
    reader.close().await;
    database.close().await;
}

#[tokio::test]
async fn everything_works_through_a_pooler_that_keeps_statements() {
    let db = Db::new().await;
    let pooler = pooler(&db, Statements::Kept).await;
    everything_works(&database(&pooler.url(), Some(db.url()))).await;
}

#[tokio::test]
async fn time_limits_and_read_only_guards_hold_behind_a_pooler() {
    let db = Db::new().await;
    let pooler = pooler(&db, Statements::Kept).await;
    let database = database(&pooler.url(), Some(db.url()));
    db.log().write(&[complete_row(Outcome::Succeeded)]).await.unwrap();
    // Told apart from other reasons: the search waits for a lock, and the server ends it.
    let mut lock = db.test.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let short = LogReadSettings {
        connections: 1,
        acquire_timeout: TIMEOUT,
        statement_timeout: Duration::from_millis(100),
    };
    let reader = RequestLogs::new(&database, &short);
    let limit = PageLimit { rows: 1, bytes: 1 };
    let filter = LogFilter::default();
    let page = reader.page(CompanyId(1), &LogVisibility::All, &filter, None, limit);
    let error = page.await.unwrap_err();
    assert!(matches!(error, StorageError::TooSlow(_)), "{error:?}");
    lock.rollback().await.unwrap();

    // A function that writes, where the search would find a column: read-only transactions refuse it.
    db.run(
        "CREATE FUNCTION written() RETURNS bigint LANGUAGE sql AS 'INSERT INTO company (name) VALUES (''x'') RETURNING id';
         ALTER TABLE request_log RENAME TO stored;
         CREATE VIEW request_log AS SELECT request_uuid, caller_request_id, surface, client_type, request_type, template,
             written() AS company_id, api_key_id, credential, account_id, job_id, run_id, args, status_code, outcome,
             error, attempts, exchanges, bytes, served_from, source_request_uuid, instance_id, started_at, finished_at, duration_ms FROM stored",
    )
    .await;
    let page = reader.page(CompanyId(1), &LogVisibility::All, &filter, None, limit);
    let error = page.await.unwrap_err();
    let StorageError::Query(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .as_deref(),
        Some("25006")
    );

    // Nothing of it stays in the sessions that other clients get.
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let options: PgConnectOptions = pooler.url().parse().unwrap();
        let mut client = PgConnection::connect_with(&options.extra_float_digits(None))
            .await
            .unwrap();
        let left: String = sqlx::query_scalar(
            "SELECT current_setting('statement_timeout') || current_setting('transaction_read_only')",
        )
        .fetch_one(&mut client)
        .await
        .unwrap();
        sessions.push(left);
    }
    assert_eq!(sessions, ["0off"; SESSIONS]);
}

#[tokio::test]
async fn a_pooler_that_loses_statements_is_refused_in_words() {
    let db = Db::new().await;
    let pooler = pooler(&db, Statements::Lost).await;
    let database = database(&pooler.url(), Some(db.test.url()));
    for _again in 0..2 {
        let problem = problem(database.require_schema().await);
        assert!(
            matches!(problem, PoolerError::TooOld(_) | PoolerError::LosesStatements),
            "{problem:?}"
        );
        assert!(
            problem.to_string().contains("PgBouncer 1.21 or later is needed"),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_pooler_without_an_address_past_it_is_refused_in_words() {
    let db = Db::new().await;
    for statements in [Statements::Kept, Statements::Lost] {
        let pooler = pooler(&db, statements).await;
        let error = database(&pooler.url(), None).migrate().await.unwrap_err();
        assert!(error.to_string().contains("set database.direct_url"), "{error}");
        assert!(!error.is_unavailable(), "the start must fail and not wait");
        let problem = problem(database(&pooler.url(), Some(pooler.url())).require_schema().await);
        assert_eq!(problem, PoolerError::DirectUrlIsPooled);
    }
}

#[tokio::test]
async fn rows_of_many_callers_are_committed_through_a_pooler() {
    let db = Db::new().await;
    let pooler = pooler(&db, Statements::Kept).await;
    let database = database(&pooler.url(), Some(db.url()));
    let sink = Arc::new(PgRequestLog::new(&database, TIMEOUT));
    let (queue, _writer) = LogQueue::start(sink, queue_settings(), Arc::default());
    let rows = (0..100).map(|_| commit(&queue, complete_row(Outcome::Succeeded)));
    assert!(future::join_all(rows).await.iter().all(Result::is_ok));
    assert_eq!(db.rows().await.len(), 100);
}

#[tokio::test]
async fn a_direct_address_without_a_pooler_works_too() {
    let db = Db::new().await;
    let url = as_runtime_role(&db.test.url());
    everything_works(&database(&url, Some(url.clone()))).await;
}
