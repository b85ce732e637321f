//! Applying the migrations, and refusing a database of an earlier version.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use storage::{Database, DatabaseSettings, Outcome, PgRequestLog, RequestLog as _, StorageError};
use testkit::TestDatabase;

use crate::support::{Db, TIMEOUT, complete_row};

fn connect(test: &TestDatabase) -> Database {
    let settings = DatabaseSettings {
        url: test.url().into(),
        max_connections: 2,
        acquire_timeout: TIMEOUT,
        direct_url: None,
        statement_timeout: Duration::from_secs(10),
        migrations: storage::MigrationSettings::default(),
    };
    Database::new(&settings).unwrap()
}

/// Every table with its columns and rows, and every function.
async fn contents(test: &TestDatabase) -> Vec<Value> {
    let columns = "SELECT to_jsonb(c) FROM information_schema.columns c WHERE table_schema = 'public' ORDER BY 1";
    let mut contents: Vec<Value> = sqlx::query_scalar(columns).fetch_all(test.pool()).await.unwrap();
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(test.pool()).await.unwrap();
    for table in tables {
        let rows = AssertSqlSafe(format!("SELECT to_jsonb(t) FROM {table} t ORDER BY 1"));
        let rows: Vec<Value> = sqlx::query_scalar(rows).fetch_all(test.pool()).await.unwrap();
        contents.push(json!({ table: rows }));
    }
    let functions = "SELECT to_jsonb(proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1";
    contents.extend(
        sqlx::query_scalar::<_, Value>(functions)
            .fetch_all(test.pool())
            .await
            .unwrap(),
    );
    contents
}

async fn assert_refused_and_unchanged(test: &TestDatabase, database: &Database) {
    let before = contents(test).await;
    for _again in 0..2 {
        let refused = database.migrate().await.unwrap_err();
        assert!(matches!(refused, StorageError::EarlierVersion), "{refused:?}");
        assert!(
            !refused.is_unavailable(),
            "the start must fail and not wait for the database"
        );
        let message = refused.to_string();
        for part in ["created by an earlier version", "new database", "data directory"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(contents(test).await, before);
}

#[tokio::test]
async fn the_migrations_create_all_tables_and_can_run_again() {
    let test = TestDatabase::empty().await;
    let database = connect(&test);
    database.migrate().await.unwrap();
    database.migrate().await.unwrap();

    let log = PgRequestLog::new(&database, TIMEOUT);
    log.write(&[complete_row(Outcome::Succeeded)]).await.unwrap();
    database.schema().await.unwrap();
    let schema = database.schema().await.unwrap();
    assert!(schema.is_sufficient() && schema.applied == schema.needed, "{schema:?}");
    let companies: Vec<(i64, String)> = sqlx::query_as("SELECT id, name FROM company")
        .fetch_all(test.pool())
        .await
        .unwrap();
    assert_eq!(companies, [(1, "default".to_owned())]);
    database.close().await;
}

#[tokio::test]
async fn concurrent_replicas_migrate_once() {
    let test = TestDatabase::empty().await;
    let replicas: Vec<_> = (0..4).map(|_| connect(&test)).collect();
    let migrated = futures::future::join_all(replicas.iter().map(Database::migrate)).await;
    assert!(migrated.iter().all(Result::is_ok), "{migrated:?}");
}

#[tokio::test]
async fn the_first_created_company_has_id_2() {
    let db = Db::new().await;
    let id = db
        .number("INSERT INTO company (name) VALUES ('acme') RETURNING id")
        .await;
    assert_eq!(id, 2);
}

#[tokio::test]
async fn tables_of_a_newer_version_are_accepted() {
    let test = TestDatabase::empty().await;
    let database = connect(&test);
    database.migrate().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'of a newer version', true, '', 0)",
    )
    .execute(test.pool())
    .await
    .unwrap();
    // A replica of this version starts beside newer ones, or after a downgrade.
    database.migrate().await.unwrap();
    assert!(database.schema().await.unwrap().is_sufficient());
    database.close().await;
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_refused_in_words_and_not_changed() {
    let test = TestDatabase::empty().await;
    let database = connect(&test);
    // What earlier versions left: their migrations, and a request log with the column `face`.
    sqlx::raw_sql(
        "CREATE TABLE _sqlx_migrations (
             version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz NOT NULL DEFAULT now(),
             success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL);
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES
             (20261120000001, 'companies keys credentials', true, '\\x01', 1),
             (20261120000002, 'request log', true, '\\x02', 1),
             (20261121000001, 'request log lists', true, '\\x03', 1);
         CREATE TABLE company (id bigint PRIMARY KEY, name text NOT NULL);
         INSERT INTO company VALUES (1, 'default');
         CREATE TABLE request_log (request_uuid uuid NOT NULL, face text NOT NULL);
         INSERT INTO request_log VALUES ('01996b5e-0000-7000-8000-000000000001', 'native')",
    )
    .execute(test.pool())
    .await
    .unwrap();
    assert_refused_and_unchanged(&test, &database).await;
    database.close().await;
}

#[tokio::test]
async fn a_database_whose_migrations_were_edited_since_is_refused() {
    let test = TestDatabase::empty().await;
    let database = connect(&test);
    database.migrate().await.unwrap();
    sqlx::query(
        "UPDATE _sqlx_migrations SET checksum = '\\x01' WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    )
    .execute(test.pool())
    .await
    .unwrap();
    assert_refused_and_unchanged(&test, &database).await;
    database.close().await;
}
