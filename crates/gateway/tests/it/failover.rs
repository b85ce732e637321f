//! A failover of Postgres under load: a primary with a synchronous standby, promoted behind a TCP switch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::future;
use simulator::acme;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use testkit::{Flow, ReplicatedServers, SwitchableProxy};

use crate::support::{Answer, Caller, Gateway, Site, eventually};

/// Callers that read, and as many that start runs.
const CALLERS: usize = 4;

/// An answer with a status below 300.
struct Success {
    begun: Instant,
    at: Instant,
    request_id: String,
}

#[derive(Default)]
struct Load {
    successes: std::sync::Mutex<Vec<Success>>,
    is_over: AtomicBool,
}

impl Load {
    fn count(&self) -> usize {
        self.successes.lock().unwrap().len()
    }

    fn record(&self, begun: Instant, answer: Answer) {
        if answer.status < 300 {
            let success = Success {
                begun,
                at: Instant::now(),
                request_id: answer.request_id,
            };
            self.successes.lock().unwrap().push(success);
        } else {
            // Said in words, never a broken connection.
            assert_eq!(answer.status, 503, "{answer:?}");
        }
    }

    /// Waits for that many more successes.
    async fn go_on(&self, more: usize) {
        let enough = self.count() + more;
        eventually("answers", async || (self.count() >= enough).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_loses_no_answered_row_and_is_over_soon_after_the_promotion() {
    let site = Site::for_load().await;
    let servers = tokio::task::spawn_blocking(ReplicatedServers::start)
        .await
        .unwrap()
        .unwrap();
    let [primary, standby]: [PgConnectOptions; 2] =
        [servers.primary_url(), servers.standby_url()].map(|url| url.parse().unwrap());
    let proxy = SwitchableProxy::start(&primary).await;
    let on_proxy = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        command
            .env("DATABASE_URL", proxy.url(&primary))
            .env("DBT_GATEWAY__INSTANCE__HEARTBEAT_SECS", "1")
            .env("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0");
        command
    };
    let created = tokio::process::Command::from(on_proxy(&[
        "keys",
        "create",
        "--name",
        "load",
        "--company",
        "1",
        "--role",
        "operator",
    ]));
    let key = { created }.output().await.unwrap();
    let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
    let gateway = tokio::task::block_in_place(|| Gateway::start(on_proxy(&["serve"])));

    let load = Load::default();
    let callers = (0..2 * CALLERS).map(async |number| {
        let caller = Caller::new(&key);
        while !load.is_over.load(Ordering::SeqCst) {
            let begun = Instant::now();
            let answer = if number % 2 == 0 {
                caller.get(&gateway, "/projects").await
            } else {
                caller.trigger(&gateway, acme::HOURLY_JOB_ID).await
            };
            load.record(begun, answer.unwrap());
        }
    });
    let failover = async {
        load.go_on(50).await;
        servers.kill_primary();
        proxy.retarget(&standby);
        proxy.set_existing(Flow::Refuse);
        let begun = Instant::now();
        let mut admin = PgConnection::connect_with(&standby).await.unwrap();
        sqlx::query("SELECT pg_promote()").execute(&mut admin).await.unwrap();
        let promoted = Instant::now();
        // One of each caller may have been on its way.
        load.go_on(50 + 2 * CALLERS).await;
        load.is_over.store(true, Ordering::SeqCst);
        (admin, begun, promoted)
    };
    let (_, (mut admin, begun, promoted)) = tokio::join!(future::join_all(callers), failover);

    let successes = std::mem::take(&mut *load.successes.lock().unwrap());
    let ids: Vec<&str> = successes.iter().map(|success| success.request_id.as_str()).collect();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM request_log WHERE request_uuid::text = ANY ($1)")
        .bind(&ids)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(usize::try_from(stored).unwrap(), ids.len(), "answered rows lost");
    // A run is started only if its row was committed before, and none twice.
    let started: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT run_id) FROM request_log WHERE request_type = 'trigger_job' AND run_id IS NOT NULL",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert!(started > 0);
    // Not those that were on their way.
    let after = successes.iter().filter(|success| success.begun > begun);
    let first = after.map(|success| success.at).min().unwrap();
    eprintln!(
        "{} answered requests, lost 0; promotion took {:?}, first answer {:?} after its beginning",
        ids.len(),
        promoted - begun,
        first - begun,
    );
    let ready = Caller::new(&key);
    eventually("readiness", async || {
        (ready.get(&gateway, "/readyz").await.unwrap().status == 200).then_some(())
    })
    .await;
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_the_minimal_role_behind_a_pooler_serves_and_changes_no_table() {
    let site = Site::new().await;
    // It only runs the Postgres, and is the owner of the tables.
    let keeper = site.serve();
    let owner: PgConnectOptions = site.database_url().parse().unwrap();
    let mut admin = PgConnection::connect_with(&owner).await.unwrap();
    sqlx::raw_sql(include_str!("../../../../migrations/roles/runtime.sql"))
        .execute(&mut admin)
        .await
        .unwrap();
    sqlx::raw_sql("CREATE ROLE gateway LOGIN IN ROLE dbt_gateway_runtime")
        .execute(&mut admin)
        .await
        .unwrap();
    let role = owner.username("gateway");
    let pooler = testkit::TransactionPooler::start(&role, 3, testkit::Statements::Kept).await;
    let behind = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        command.env("DATABASE_URL", pooler.url()).env(
            "DBT_GATEWAY__DATABASE__DIRECT_URL",
            site.database_url().replace("postgres@", "gateway@"),
        );
        command
    };
    let create = ["keys", "create", "--name", "one", "--company", "1", "--role", "admin"];
    let created = tokio::task::block_in_place(|| behind(&create).output().unwrap());
    assert!(created.status.success(), "{}", crate::support::text(&created));
    let caller = Caller::new(String::from_utf8(created.stdout).unwrap().trim());
    let gateway = tokio::task::block_in_place(|| Gateway::start(behind(&["serve", "--no-migrate"])));
    assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 200);
    assert_eq!(caller.trigger(&gateway, acme::HOURLY_JOB_ID).await.unwrap().status, 201);
    assert_eq!(caller.get(&gateway, "/request-logs").await.unwrap().status, 200);
    let by_runtime: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = 'gateway'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(by_runtime, 0);
    gateway.stop();
    admin.close().await.unwrap();
    keeper.stop();
}
