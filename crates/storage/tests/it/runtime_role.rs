//! The minimal role of `migrations/roles/runtime.sql`. All other tests of this crate run under it too.

use storage::{Database, DatabaseSettings, MigrationSettings, StorageError};
use testkit::TestDatabase;

use crate::support::{Db, TIMEOUT, as_runtime_role};

fn database(url: &str) -> Database {
    Database::new(&DatabaseSettings {
        url: as_runtime_role(url).into(),
        direct_url: None,
        max_connections: 1,
        acquire_timeout: TIMEOUT,
        statement_timeout: TIMEOUT,
        migrations: MigrationSettings::default(),
    })
    .unwrap()
}

#[tokio::test]
async fn it_starts_on_current_tables_without_changing_them() {
    let db = Db::new().await;
    let database = database(&db.test.url());
    database.require_schema().await.unwrap();
    database.migrate().await.expect("nothing to apply");
}

#[tokio::test]
async fn it_is_told_in_words_that_it_may_not_migrate() {
    // The role exists in the whole server.
    drop(Db::new().await);
    let test = TestDatabase::empty().await;
    let error = database(&test.url()).migrate().await.unwrap_err();
    assert!(matches!(error, StorageError::MigrationDenied(_)), "{error:?}");
    assert!(error.to_string().contains("--no-migrate"), "{error}");
}

#[tokio::test]
async fn it_owns_nothing_and_may_change_no_table() {
    let db = Db::new().await;
    let owned =
        "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE rolname = 'dbt_gateway_runtime'";
    db.run("SELECT request_log_ensure_partition('2026-03-04')").await;
    let mut role = db.connect().await;
    sqlx::raw_sql("SET ROLE dbt_gateway_runtime; SELECT request_log_ensure_partition('2026-03-05')")
        .execute(&mut role)
        .await
        .unwrap();
    assert_eq!(db.number(owned).await, 0, "partitions belong to the owner of the log");
    for forbidden in [
        "CREATE TABLE mine ()",
        "DROP TABLE request_log_20260304",
        "ALTER TABLE request_log ADD mine int",
        "DELETE FROM request_log",
        "TRUNCATE request_log",
        "DELETE FROM api_key",
        "DELETE FROM company",
        "UPDATE _sqlx_migrations SET success = false",
        "SELECT request_log_drop_expired(current_date, 0)",
    ] {
        let refused = sqlx::raw_sql(forbidden).execute(&mut role).await.unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap()
            .into_owned();
        // Not allowed, or a retention of no days.
        assert!(code == "42501" || code == "22023", "{forbidden}: {refused}");
    }
}

#[tokio::test]
async fn other_roles_cannot_use_the_functions_of_the_owner() {
    let db = Db::new().await;
    let open = "SELECT count(*) FROM pg_proc p, LATERAL aclexplode(p.proacl) a
                WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND a.grantee = 0";
    assert_eq!(db.number(open).await, 0, "PUBLIC may execute one");
    let unsafe_paths = "SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace
                        AND NOT coalesce(proconfig::text, '') LIKE '%search_path=public, pg_temp%'";
    assert_eq!(db.number(unsafe_paths).await, 0);
}
