//! Connecting to the database, and telling outages from other errors.

use std::time::Duration;

use storage::{Database, DatabaseSettings, StorageError};
use testkit::TestDatabase;

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings {
        url: url.into(),
        max_connections: 2,
        acquire_timeout: Duration::from_secs(10),
        direct_url: None,
        statement_timeout: Duration::from_secs(10),
        migrations: storage::MigrationSettings::default(),
    }
}

#[tokio::test]
async fn an_invalid_address_is_reported_immediately_and_without_its_password() {
    let refused = Database::new(&settings("postgres://root:sesame@db:port/x"));
    let error = refused.err().unwrap();
    assert!(matches!(error, StorageError::Address(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("sesame"));
    assert!(!format!("{:?}", settings("postgres://root:sesame@db/x")).contains("sesame"));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_unavailable() {
    // No folder, so no server's socket in it.
    let nowhere = "postgres://postgres@localhost/x?host=%2Fdev%2Fnull";
    let database = Database::new(&settings(nowhere)).unwrap();
    let error = database.migrate().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}

#[tokio::test]
async fn a_refused_statement_does_not_mean_unavailable() {
    let test = TestDatabase::empty().await;
    let database = Database::from(test.pool().clone());
    let error = database.schema().await.unwrap_err();
    assert!(!error.is_unavailable(), "{error:?}");
}
