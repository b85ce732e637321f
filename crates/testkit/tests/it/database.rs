//! Test databases: migrated once, separate, removed afterwards.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, PgConnection, PgPool};
use testkit::{TestDatabase, fingerprint};

async fn one_table(pool: PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("CREATE TABLE item (name text)")
        .execute(&pool)
        .await
        .map(drop)
}

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM item")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// A fingerprint that no earlier run on the same server has used.
fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    format!("{name} {} {now:?}", std::process::id())
}

#[tokio::test]
async fn test_databases_do_not_share_rows() {
    let one = TestDatabase::create("one table", one_table).await;
    let other = TestDatabase::create("one table", one_table).await;

    sqlx::query("INSERT INTO item VALUES ('mine')")
        .execute(one.pool())
        .await
        .unwrap();

    assert_eq!(count(one.pool()).await, 1);
    assert_eq!(count(other.pool()).await, 0);
}

#[tokio::test]
async fn concurrent_requests_run_the_migrations_once() {
    let fingerprint = unique("once");
    let runs = AtomicU32::new(0);
    let counted = async |pool| {
        runs.fetch_add(1, Ordering::SeqCst);
        one_table(pool).await
    };
    let create = || TestDatabase::create(&fingerprint, counted);

    let (first, second, third) = tokio::join!(create(), create(), create());

    for database in [first, second, third] {
        assert_eq!(count(database.pool()).await, 0);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn other_migrations_create_another_template() {
    let _one = TestDatabase::create("one table", one_table).await;
    let other = TestDatabase::create("another table", async |pool| {
        sqlx::query("CREATE TABLE other ()").execute(&pool).await.map(drop)
    })
    .await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname IN ('item', 'other')")
            .fetch_all(other.pool())
            .await
            .unwrap();
    assert_eq!(tables, ["other"]);
}

#[tokio::test]
async fn a_template_is_recreated_after_a_failed_migration() {
    let fingerprint = unique("fails first");
    let attempt = fingerprint.clone();
    let failed = tokio::task::LocalSet::new()
        .run_until(async move {
            let failing = async |pool: PgPool| {
                one_table(pool.clone()).await?;
                sqlx::query("SELECT 1 / 0").execute(&pool).await.map(drop)
            };
            tokio::task::spawn_local(async move { TestDatabase::create(&attempt, failing).await }).await
        })
        .await;
    assert!(failed.unwrap_err().is_panic());

    let database = TestDatabase::create(&fingerprint, one_table).await;

    assert_eq!(count(database.pool()).await, 0);
}

#[tokio::test]
async fn an_empty_database_has_no_table() {
    let database = TestDatabase::empty().await;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn the_url_is_that_of_the_same_database() {
    let database = TestDatabase::create("one table", one_table).await;
    sqlx::query("INSERT INTO item VALUES ('there')")
        .execute(database.pool())
        .await
        .unwrap();

    let mut connection = PgConnection::connect(&database.url()).await.unwrap();

    let name: String = sqlx::query_scalar("SELECT name FROM item")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(name, "there");
}

#[tokio::test]
async fn a_database_is_dropped_with_its_value_despite_open_connections() {
    let observer = TestDatabase::empty().await;
    let database = TestDatabase::create("one table", one_table).await;
    let _open = database.pool().acquire().await.unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(database.pool())
        .await
        .unwrap();

    drop(database);

    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_one(observer.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_fingerprint_changes_with_the_migrations() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("20260101000000_first.sql");
    std::fs::write(&file, "CREATE TABLE one ()").unwrap();
    let first = sqlx::migrate::Migrator::new(scratch.path()).await.unwrap();
    std::fs::write(&file, "CREATE TABLE two ()").unwrap();
    let second = sqlx::migrate::Migrator::new(scratch.path()).await.unwrap();

    assert_eq!(fingerprint(&first), fingerprint(&first));
    assert_ne!(fingerprint(&first), fingerprint(&second));
}
