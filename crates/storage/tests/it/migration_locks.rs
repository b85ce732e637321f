//! Migrations beside a running gateway: what they lock, how long writers wait, and what they do when a table is in use.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use storage::{Database, DatabaseSettings, MigrationSettings, StorageError};
use testkit::TestDatabase;
use tokio::sync::oneshot;

use crate::support::TIMEOUT;

/// The first migrations create the tables, so nothing can wait for them. Later ones meet tables with rows.
const CREATED_BY: i64 = 20_261_127_000_002;
/// Rows of the small form, in the log and in each other table.
const FEW: u32 = 2000;
/// Rows of the long form, which prints what it measures: `./dev migrations`.
const MANY: u32 = 1_000_000;

/// The locks that stop writers: everything that conflicts with ROW EXCLUSIVE.
const STOPS_WRITERS: [&str; 4] = [
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

fn migrations() -> Migrator {
    sqlx::migrate!("../../migrations")
}

/// A database as the earlier version left it, with rows in every table that the migrations may change.
async fn before(migration: &Migration, rows: u32) -> (TestDatabase, PgConnection) {
    let test = TestDatabase::empty().await;
    let mut connection = PgConnection::connect(&test.url()).await.unwrap();
    let earlier: Vec<Migration> = migrations()
        .iter()
        .filter(|earlier| earlier.version < migration.version)
        .cloned()
        .collect();
    Migrator::with_migrations(earlier).run(&mut connection).await.unwrap();
    let fill = format!(
        "CREATE TABLE IF NOT EXISTS request_log_20260304 PARTITION OF request_log
             FOR VALUES FROM ('2026-03-04T00:00:00Z') TO ('2026-03-05T00:00:00Z');
         INSERT INTO company (name) SELECT 'company ' || n FROM generate_series(1, least({rows}, 1000)) n;
         INSERT INTO instance (host, version) SELECT 'host', '0.1.0' FROM generate_series(1, least({rows}, 1000));
         INSERT INTO api_key (company_id, name, prefix, key_hash, role)
             SELECT 1, 'key ' || n, 'dbtgw_', sha256(n::text::bytea), 'viewer'
             FROM generate_series(1, least({rows}, 10000)) n;
         INSERT INTO request_log (request_uuid, surface, request_type, company_id, args, instance_id, started_at)
             SELECT gen_random_uuid(), 'rest', 'get_project', 1, '{{}}', 1,
                 '2026-03-04T00:00:00Z'::timestamptz + n * interval '20 ms'
             FROM generate_series(1, {rows}) n;
         ANALYZE"
    );
    sqlx::raw_sql(AssertSqlSafe(fill))
        .execute(&mut connection)
        .await
        .unwrap();
    (test, connection)
}

/// The migrations that meet tables with rows.
fn later() -> Vec<Migration> {
    migrations()
        .iter()
        .filter(|migration| migration.version > CREATED_BY)
        .cloned()
        .collect()
}

/// How many rows of each table this session has read or written. They are not reset between transactions.
async fn touched(connection: &mut PgConnection) -> HashMap<String, i64> {
    let counts = "SELECT relname::text, seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del
                  FROM pg_stat_xact_user_tables";
    let counts: Vec<(String, i64)> = sqlx::query_as(counts).fetch_all(connection).await.unwrap();
    counts.into_iter().collect()
}

/// The tables whose writers this session stops, with the mode of the lock.
async fn locks(connection: &mut PgConnection) -> Vec<(String, String)> {
    let locks = "SELECT c.relname::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                 WHERE l.pid = pg_backend_pid() AND l.mode = ANY ($1) AND c.relkind IN ('r', 'p')";
    let locks = sqlx::query_as(locks).bind(STOPS_WRITERS.map(str::to_owned).to_vec());
    locks.fetch_all(connection).await.unwrap()
}

/// A table that stops writers must not be read or rewritten meanwhile: `NOT VALID` and `VALIDATE CONSTRAINT` in a
/// migration of its own, `CREATE INDEX CONCURRENTLY` with `-- no-transaction`, no default that has to be written.
#[tokio::test]
async fn no_migration_reads_a_table_while_it_stops_its_writers() {
    for migration in later() {
        let name = &migration.description;
        let (_test, mut connection) = before(&migration, FEW).await;
        let size = "SELECT relfilenode::bigint::text FROM pg_class WHERE relname = 'request_log_20260304'";
        let file: String = sqlx::query_scalar(size).fetch_one(&mut connection).await.unwrap();
        let sql = migration.sql.as_str().to_owned();
        if migration.no_tx {
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .unwrap();
            continue;
        }
        let mut transaction = connection.begin().await.unwrap();
        let touched_before = touched(&mut transaction).await;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await
            .unwrap();
        for (table, mode) in locks(&mut transaction).await {
            // Tables that the migration creates have no writers.
            let Some(before) = touched_before.get(&table) else {
                continue;
            };
            let rows = touched(&mut transaction).await[&table] - before;
            assert!(rows == 0, "{name}: reads or writes {rows} rows of {table} under {mode}");
        }
        let after: String = sqlx::query_scalar(size).fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(after, file, "{name}: rewrites the request log");
        transaction.rollback().await.unwrap();
    }
}

/// Writes rows until `stop`, one after another, and returns the longest wait and the number.
async fn write_until(mut connection: PgConnection, mut stop: oneshot::Receiver<()>) -> (Duration, u32) {
    let (mut longest, mut rows) = (Duration::ZERO, 0);
    while stop.try_recv().is_err() {
        let begun = Instant::now();
        sqlx::query(
            "INSERT INTO request_log (request_uuid, surface, request_type, company_id, args, started_at)
             VALUES (gen_random_uuid(), 'rest', 'get_project', 1, '{}', '2026-03-04T12:00:00Z')",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        longest = longest.max(begun.elapsed());
        rows += 1;
    }
    (longest, rows)
}

/// The longest wait of a writer beside each migration, and what it would be without one.
async fn waits(rows: u32) -> Vec<(String, Duration, Duration)> {
    let mut waits = Vec::new();
    for migration in later() {
        let (test, connection) = before(&migration, rows).await;
        connection.close().await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let writer = tokio::spawn(write_until(PgConnection::connect(&test.url()).await.unwrap(), stopped));
        let database = database(&test.url(), MigrationSettings::default());
        let begun = Instant::now();
        database.migrate().await.unwrap();
        let took = begun.elapsed();
        stop.send(()).unwrap();
        let (longest, written) = writer.await.unwrap();
        assert!(written > 0);
        database.close().await;
        waits.push((migration.description.to_string(), took, longest));
    }
    waits
}

#[tokio::test]
async fn a_writer_goes_on_beside_each_migration() {
    assert_eq!(waits(FEW).await.len(), later().len());
}

#[tokio::test]
#[ignore = "takes a minute: ./dev migrations"]
async fn the_longest_wait_of_a_writer_beside_each_migration_of_a_million_rows() {
    for (name, took, longest) in waits(MANY).await {
        println!("{name}: {MANY} rows, took {took:?}, longest wait of a writer {longest:?}");
    }
}

fn database(url: &str, migrations: MigrationSettings) -> Database {
    Database::new(&DatabaseSettings {
        url: url.into(),
        direct_url: None,
        max_connections: 2,
        acquire_timeout: TIMEOUT,
        statement_timeout: TIMEOUT,
        migrations,
    })
    .unwrap()
}

/// A database without the last migration, and one whose lock another session holds.
async fn locked() -> (TestDatabase, PgConnection) {
    let last = later().pop().unwrap();
    let (test, mut other) = before(&last, 1).await;
    // Every migration needs the list of the applied ones.
    let lock = "BEGIN; LOCK TABLE _sqlx_migrations IN SHARE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    (test, other)
}

const IMPATIENT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_migration_waits_only_shortly_for_a_table_and_is_tried_again() {
    let (test, mut other) = locked().await;
    let settings = MigrationSettings {
        lock_timeout: IMPATIENT,
        attempts: 10_000,
    };
    let database = database(&test.url(), settings);
    let waited = "SELECT count(*) FROM pg_stat_database WHERE datname = current_database() AND xact_rollback > 0";
    let release = async {
        // It gave way at least once.
        while sqlx::query_scalar::<_, i64>(waited)
            .fetch_one(test.pool())
            .await
            .unwrap()
            == 0
        {
            tokio::task::yield_now().await;
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    let (migrated, ()) = tokio::time::timeout(TIMEOUT, async { tokio::join!(database.migrate(), release) })
        .await
        .unwrap();
    migrated.unwrap();
    assert!(database.schema().await.unwrap().is_sufficient());
}

#[tokio::test]
async fn a_migration_that_never_gets_its_table_fails_in_words() {
    let (test, _other) = locked().await;
    let settings = MigrationSettings {
        lock_timeout: IMPATIENT,
        attempts: 2,
    };
    let error = database(&test.url(), settings).migrate().await.unwrap_err();
    assert!(matches!(error, StorageError::MigrationBlocked(_)), "{error:?}");
    assert!(!error.is_unavailable());
    assert!(error.to_string().contains("pg_stat_activity"), "{error}");
}

#[tokio::test]
async fn tables_that_are_behind_are_refused_in_words_and_not_changed() {
    let (test, connection) = before(&later().pop().unwrap(), 1).await;
    connection.close().await.unwrap();
    for (test, applied) in [(test, CREATED_BY), (TestDatabase::empty().await, 0)] {
        let database = database(&test.url(), MigrationSettings::default());
        let error = database.require_schema().await.unwrap_err();
        assert!(
            matches!(error, StorageError::SchemaBehind { applied: found, .. } if found >= applied),
            "{error:?}"
        );
        assert!(error.to_string().contains("dbt-gateway migrate"), "{error}");
        database.migrate().await.unwrap();
        database.require_schema().await.unwrap();
        database.close().await;
    }
}
