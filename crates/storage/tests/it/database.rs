//! The migrations, and a database that is not there.

use std::time::Duration;

use storage::{Database, DatabaseSettings, Outcome, PgRequestLog, RequestLog as _, StorageError};
use testkit::TestDatabase;

use crate::support::{Db, PATIENCE, whole};

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings {
        url: url.into(),
        max_connections: 2,
        acquire_timeout: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn the_migrations_make_everything_from_nothing_and_may_run_again() {
    let test = TestDatabase::empty().await;
    let database = Database::new(&settings(&test.url())).unwrap();
    database.migrate().await.unwrap();
    database.migrate().await.unwrap();

    let log = PgRequestLog::new(&database, PATIENCE);
    log.write(&[whole(Outcome::Succeeded)]).await.unwrap();
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
async fn replicas_that_start_together_migrate_once() {
    let test = TestDatabase::empty().await;
    let replicas: Vec<_> = (0..4).map(|_| Database::new(&settings(&test.url())).unwrap()).collect();
    let migrated = futures::future::join_all(replicas.iter().map(Database::migrate)).await;
    assert!(migrated.iter().all(Result::is_ok), "{migrated:?}");
}

#[tokio::test]
async fn the_next_company_after_the_default_one_is_the_second() {
    let db = Db::new().await;
    let id = db
        .number("INSERT INTO company (name) VALUES ('acme') RETURNING id")
        .await;
    assert_eq!(id, 2);
}

#[tokio::test]
async fn an_address_that_is_none_is_told_at_once_and_without_its_password() {
    let refused = Database::new(&settings("postgres://root:sesame@db:port/x"));
    let error = refused.err().unwrap();
    assert!(matches!(error, StorageError::Address(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("sesame"));
    assert!(!format!("{:?}", settings("postgres://root:sesame@db/x")).contains("sesame"));
}

#[tokio::test]
async fn tables_of_a_newer_version_are_good_enough_for_this_one() {
    let test = TestDatabase::empty().await;
    let database = Database::new(&settings(&test.url())).unwrap();
    database.migrate().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'of a newer version', true, '', 0)",
    )
    .execute(test.pool())
    .await
    .unwrap();
    // A replica of this version that starts beside newer ones, or after a way back.
    database.migrate().await.unwrap();
    assert!(database.schema().await.unwrap().is_sufficient());
    database.close().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_absent_and_not_broken() {
    // No folder, so no server's socket in it.
    let nowhere = "postgres://postgres@localhost/x?host=%2Fdev%2Fnull";
    let database = Database::new(&settings(nowhere)).unwrap();
    let error = database.migrate().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}

#[tokio::test]
async fn a_refused_statement_is_no_absence() {
    let test = TestDatabase::empty().await;
    let database = Database::from(test.pool().clone());
    let error = database.schema().await.unwrap_err();
    assert!(!error.is_unavailable(), "{error:?}");
}
