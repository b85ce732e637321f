//! A database for one test, dropped at its end.

use std::fmt::Display;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool};

use crate::{server, template};

/// Enough for tests of concurrency, few enough for many tests on one server.
const MAX_CONNECTIONS: u32 = 5;
/// Older test databases are from killed processes.
const MAX_AGE: Duration = Duration::from_hours(6);

/// A database for one test.
///
/// ```no_run
/// # async fn migrate(_: sqlx::PgPool) -> Result<(), sqlx::Error> { Ok(()) }
/// # async fn example() {
/// let database = testkit::TestDatabase::create("migrations, version 3", migrate).await;
/// let answer: i32 = sqlx::query_scalar("SELECT 42").fetch_one(database.pool()).await.unwrap();
/// # }
/// ```
///
/// Dropping the value drops the database, also after a failed test, and disconnects its clients.
#[derive(Debug)]
pub struct TestDatabase {
    server: PgConnectOptions,
    name: String,
    pool: PgPool,
}

impl TestDatabase {
    /// Creates a database to which `migrate` has been applied.
    ///
    /// `migrate` runs once per server and `fingerprint`; each database is a copy of the result. The fingerprint must change
    /// when the result does: see [`fingerprint`](crate::fingerprint).
    ///
    /// # Panics
    ///
    /// If there is no server, or if `migrate` fails.
    pub async fn create<E: Display>(fingerprint: &str, migrate: impl AsyncFnOnce(PgPool) -> Result<(), E>) -> Self {
        let server = server().await;
        let template = template::ensure(&server, fingerprint, migrate).await;
        let template = template.unwrap_or_else(|error| panic!("could not prepare the template: {error}"));
        Self::copy_of(server, &template).await
    }

    /// Creates a database without tables, for tests of the migrations.
    ///
    /// # Panics
    ///
    /// If there is no server.
    pub async fn empty() -> Self {
        Self::copy_of(server().await, "template0").await
    }

    /// A pool of at most 5 connections.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The URL, for programs and for pools with other settings.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    async fn copy_of(server: PgConnectOptions, template: &str) -> Self {
        let name = new_name();
        copy(&server, template, &name)
            .await
            .unwrap_or_else(|error| panic!("could not create a database: {error}"));
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect_lazy_with(server.clone().database(&name));
        Self { server, name, pool }
    }
}

impl Drop for TestDatabase {
    /// Uses a separate thread, because the runtime of the test cannot block on itself, and joins it, because the process may
    /// be about to end. Errors are ignored: a later test removes the database by its age.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let mut connection = server.connect().await.ok()?;
                remove(&mut connection, &name).await.ok()?;
                connection.close().await.ok()
            })
        });
        let _ = dropping.join();
    }
}

async fn server() -> PgConnectOptions {
    let url = tokio::task::spawn_blocking(server::url).await;
    let url = url.unwrap_or_else(|error| panic!("no Postgres for this test: {error}"));
    url.parse()
        .unwrap_or_else(|error| panic!("{} is not a valid URL: {error}", server::TEST_POSTGRES_URL))
}

async fn copy(server: &PgConnectOptions, template: &str, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = server.connect().await?;
    remove_old(&mut connection).await?;
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
        .await?;
    connection.close().await
}

async fn remove(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    connection
        .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        .await?;
    Ok(())
}

/// Removes databases of killed tests from a server that outlives test runs.
async fn remove_old(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(r"SELECT datname::text FROM pg_database WHERE datname LIKE 'test\_%'")
        .fetch_all(&mut *connection)
        .await?;
    for name in names.iter().filter(|name| is_old(name, since_epoch())) {
        remove(connection, name).await?;
    }
    Ok(())
}

/// `test_<seconds since 1970>_<nanoseconds>_<process>_<number>`: unique, and contains its age.
fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (now, number) = (since_epoch(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!(
        "test_{}_{:x}_{:x}_{number}",
        now.as_secs(),
        now.subsec_nanos(),
        process::id()
    )
}

fn is_old(name: &str, now: Duration) -> bool {
    let created = name.split('_').nth(1).and_then(|seconds| seconds.parse().ok());
    created.is_some_and(|created| Duration::from_secs(created) + MAX_AGE < now)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{MAX_AGE, is_old, new_name, since_epoch};
    use std::time::Duration;

    #[test]
    fn a_test_database_is_old_after_the_maximum_age() {
        let name = new_name();
        assert!(!is_old(&name, since_epoch()));
        assert!(is_old(&name, since_epoch() + MAX_AGE + Duration::from_secs(2)));
        assert!(!is_old("test_of_another_program", since_epoch()));
    }
}
