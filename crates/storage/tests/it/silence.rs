//! A Postgres that falls silent without closing its connections: every caller is answered within the deadline, and the
//! next one finds a working connection.

use std::time::Duration;

use futures::future;
use model::{CompanyId, RequestStamp, Role, Surface, SystemClock};
use sqlx::postgres::PgConnectOptions;
use storage::{ApiKeys, Companies, CreateKey, Database, DatabaseSettings, StorageError};
use testkit::{Flow, SwitchableProxy};
use tokio::time::timeout;

use crate::support::{Db, TIMEOUT, as_runtime_role};

/// The deadline of statements in these tests: long for an answer, short for a test.
const DEADLINE: Duration = Duration::from_secs(1);
const CONNECTIONS: u32 = 4;

struct Silent {
    db: Db,
    proxy: SwitchableProxy,
    database: Database,
}

impl Silent {
    /// With one connection in the pool.
    async fn new() -> Self {
        Self::with(1).await
    }

    async fn with(max_connections: u32) -> Self {
        let db = Db::new().await;
        let options: PgConnectOptions = db.test.url().parse().unwrap();
        let proxy = SwitchableProxy::start(&options).await;
        let database = Database::new(&DatabaseSettings {
            url: as_runtime_role(&proxy.url(&options)).into(),
            max_connections,
            acquire_timeout: Duration::from_secs(5),
            direct_url: None,
            statement_timeout: DEADLINE,
            migrations: storage::MigrationSettings::default(),
        })
        .unwrap();
        Self { db, proxy, database }
    }

    /// Opens all connections of the pool, and leaves them idle: none is idle when the statements start together.
    async fn fill_pool(&self) {
        let statements = future::join_all((0..CONNECTIONS).map(|_| self.database.schema())).await;
        assert!(statements.iter().all(Result::is_ok), "{statements:?}");
        assert_eq!(self.proxy.accepted(), u64::from(CONNECTIONS));
    }
}

fn stamp() -> RequestStamp {
    RequestStamp::now(&SystemClock, Surface::Internal, None)
}

#[tokio::test]
async fn a_statement_on_a_silent_connection_times_out_and_the_next_one_works() {
    for flow in [Flow::Swallow, Flow::OnlyPings] {
        let silent = Silent::new().await;
        silent.database.schema().await.unwrap();
        silent.proxy.set_existing(flow);
        let companies = Companies::new(&silent.database);
        let first = timeout(TIMEOUT, companies.list()).await.unwrap();
        if flow == Flow::OnlyPings {
            let error = first.unwrap_err();
            assert!(matches!(error, StorageError::TimedOut(DEADLINE)), "{error:?}");
            assert!(error.is_unavailable());
        } else {
            first.expect("a silent ping leads to a new connection");
        }
        assert_eq!(companies.list().await.unwrap().len(), 1, "{flow:?}");
    }
}

#[tokio::test]
async fn one_timeout_condemns_all_connections_that_were_idle_with_it() {
    let silent = Silent::with(CONNECTIONS).await;
    silent.fill_pool().await;
    silent.proxy.set_existing(Flow::OnlyPings);
    let opened = silent.proxy.accepted();

    let first = timeout(TIMEOUT, silent.database.schema()).await.unwrap();
    assert!(matches!(first, Err(StorageError::TimedOut(_))), "{first:?}");
    for _ in 0..CONNECTIONS {
        silent.database.schema().await.expect("a new connection");
    }
    assert!(silent.proxy.accepted() > opened);
}

#[tokio::test]
async fn a_change_on_a_silent_connection_times_out_as_a_whole_and_leaves_no_lock() {
    let silent = Silent::new().await;
    silent.database.schema().await.unwrap();
    silent.proxy.set_existing(Flow::OnlyPings);
    let keys = ApiKeys::new(&silent.database);
    let new = CreateKey::new(CompanyId(1), "one", Role::Viewer);
    let error = timeout(TIMEOUT, keys.create(&stamp(), &new))
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    keys.create(&stamp(), &new).await.unwrap();
    assert_eq!(keys.list(CompanyId(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_waits_for_a_lock_times_out_and_is_rolled_back() {
    let silent = Silent::new().await;
    let mut lock = silent.db.test.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let companies = Companies::new(&silent.database);
    let error = timeout(TIMEOUT, companies.create(&stamp(), "acme")).await.unwrap();
    assert!(matches!(error, Err(StorageError::TimedOut(_))), "{error:?}");
    lock.rollback().await.unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    silent.db.wait_until(sessions, |waiting| waiting == 0).await;
    assert_eq!(companies.list().await.unwrap().len(), 1, "only the default company");
    companies.create(&stamp(), "acme").await.unwrap();
}

#[tokio::test]
async fn callers_that_hang_up_on_silent_connections_do_not_use_up_the_pool() {
    let silent = Silent::with(CONNECTIONS).await;
    silent.fill_pool().await;
    silent.proxy.set_existing(Flow::OnlyPings);
    for _ in 0..2 * CONNECTIONS {
        // Cancelled while the statement runs.
        let _ = timeout(DEADLINE / 10, silent.database.schema()).await;
    }
    let mut tries = 0;
    let answered = async {
        // Each failure takes at most the deadline, and condemns the connections that are left.
        while silent.database.schema().await.is_err() {
            tries += 1;
        }
    };
    timeout(TIMEOUT, answered).await.unwrap();
    assert!(tries <= CONNECTIONS, "{tries}");
}

#[tokio::test]
async fn a_refused_change_keeps_its_connection() {
    let silent = Silent::with(CONNECTIONS).await;
    let companies = Companies::new(&silent.database);
    companies.create(&stamp(), "acme").await.unwrap();
    let opened = silent.proxy.accepted();
    for _ in 0..10 {
        let taken = companies.create(&stamp(), "acme").await;
        assert!(matches!(taken, Err(StorageError::NameTaken)), "{taken:?}");
    }
    assert!(
        silent.proxy.accepted() <= opened + u64::from(CONNECTIONS),
        "not one for each"
    );
}

#[tokio::test]
async fn a_pool_with_silent_connections_closes() {
    let silent = Silent::with(CONNECTIONS).await;
    silent.fill_pool().await;
    silent.proxy.set(Flow::Swallow);
    let database = silent.database.clone();
    let stuck = tokio::spawn(async move { database.schema().await });
    timeout(TIMEOUT, silent.database.close()).await.unwrap();
    assert!(timeout(TIMEOUT, stuck).await.unwrap().unwrap().is_err());
}
