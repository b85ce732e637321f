//! A database for one test, dropped when the test ends.

use std::fmt::Display;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool};

use crate::{server, template};

/// Enough for a test of concurrency, few enough that many tests share one server.
const CONNECTIONS: u32 = 5;
/// A database of a test older than this was left by a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_hours(6);

/// A database of its own for one test.
///
/// ```no_run
/// # async fn migrate(_: sqlx::PgPool) -> Result<(), sqlx::Error> { Ok(()) }
/// # async fn example() {
/// let database = testkit::TestDatabase::create("migrations, version 3", migrate).await;
/// let answer: i32 = sqlx::query_scalar("SELECT 42").fetch_one(database.pool()).await.unwrap();
/// # }
/// ```
///
/// Dropping the value drops the database, whoever is still connected to it; a test that fails leaves nothing behind
/// either.
#[derive(Debug)]
pub struct TestDatabase {
    server: PgConnectOptions,
    name: String,
    pool: PgPool,
}

impl TestDatabase {
    /// A database to which `migrate` has been applied.
    ///
    /// `migrate` runs once for a server and `fingerprint`, in the first process that asks; everybody gets a copy of
    /// what it made. The fingerprint has to change whenever the result does: see [`fingerprint`](crate::fingerprint).
    ///
    /// # Panics
    ///
    /// When there is no server, or `migrate` fails: then the test has failed.
    pub async fn create<E: Display>(fingerprint: &str, migrate: impl AsyncFnOnce(PgPool) -> Result<(), E>) -> Self {
        let server = server().await;
        let template = template::ensure(&server, fingerprint, migrate).await;
        let template = template.unwrap_or_else(|error| panic!("could not prepare the template: {error}"));
        Self::copy_of(server, &template).await
    }

    /// A database without any table, for tests of the migrations themselves.
    ///
    /// # Panics
    ///
    /// When there is no server.
    pub async fn empty() -> Self {
        Self::copy_of(server().await, "template0").await
    }

    /// Its connections: at most 5 at once.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Its address, for programs and for pools with settings of their own.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    async fn copy_of(server: PgConnectOptions, template: &str) -> Self {
        let name = new_name();
        copy(&server, template, &name)
            .await
            .unwrap_or_else(|error| panic!("could not make a database: {error}"));
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_lazy_with(server.clone().database(&name));
        Self { server, name, pool }
    }
}

impl Drop for TestDatabase {
    /// On a thread of its own, since the runtime of the test cannot be waited for from within; waited for all the same,
    /// since the process may be about to end. An error is not worth failing a test: the name says when to sweep.
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
    let url = url.unwrap_or_else(|error| panic!("there is no server for this test: {error}"));
    url.parse()
        .unwrap_or_else(|error| panic!("{} is no address: {error}", server::TEST_POSTGRES_URL))
}

async fn copy(server: &PgConnectOptions, template: &str, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = server.connect().await?;
    sweep(&mut connection).await?;
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

/// Removes what killed tests left on a server that outlives test runs.
async fn sweep(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(r"SELECT datname::text FROM pg_database WHERE datname LIKE 'test\_%'")
        .fetch_all(&mut *connection)
        .await?;
    for name in names.iter().filter(|name| is_left_behind(name, since_epoch())) {
        remove(connection, name).await?;
    }
    Ok(())
}

/// `test_<seconds since 1970>_<the rest of the second>_<process>_<number>`: unique, and it tells its age.
fn new_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let (now, number) = (since_epoch(), MADE.fetch_add(1, Ordering::Relaxed));
    format!(
        "test_{}_{:x}_{:x}_{number}",
        now.as_secs(),
        now.subsec_nanos(),
        process::id()
    )
}

fn is_left_behind(name: &str, now: Duration) -> bool {
    let made = name.split('_').nth(1).and_then(|seconds| seconds.parse().ok());
    made.is_some_and(|made| Duration::from_secs(made) + LEFT_BEHIND < now)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{LEFT_BEHIND, is_left_behind, new_name, since_epoch};
    use std::time::Duration;

    #[test]
    fn a_database_is_left_behind_by_its_age_alone() {
        let name = new_name();
        assert!(!is_left_behind(&name, since_epoch()));
        assert!(is_left_behind(
            &name,
            since_epoch() + LEFT_BEHIND + Duration::from_secs(2)
        ));
        assert!(!is_left_behind("test_of_somebody_else", since_epoch()));
    }
}
