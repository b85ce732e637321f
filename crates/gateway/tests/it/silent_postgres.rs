//! Connections to Postgres that fall silent without closing, as after a failover: every caller is answered, the heartbeat
//! comes back, and the process ends.

use std::time::Duration;

use testkit::{Flow, SwitchableProxy};
use tokio::time::timeout;

use crate::support::{Caller, Gateway, Site, eventually};

/// Ends a test that would otherwise wait for ever.
const TIMEOUT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn callers_heartbeat_and_rows_recover_from_silent_connections() {
    let site = Site::new().await;
    let (known, unknown) = (Caller::new(&site.key("viewer")), Caller::new(&site.key("viewer")));
    // It only runs the Postgres.
    let keeper = site.serve();
    let server = site.database_url().parse().unwrap();
    let proxy = SwitchableProxy::start(&server).await;
    let mut serve = site.command(&["serve"]);
    serve
        .env("DATABASE_URL", proxy.url(&server))
        .env("DBT_GATEWAY__DATABASE__STATEMENT_TIMEOUT_SECS", "1")
        .env("DBT_GATEWAY__REQUEST_LOG__COMMIT_TIMEOUT_MS", "1000")
        .env("DBT_GATEWAY__INSTANCE__HEARTBEAT_SECS", "1");
    let gateway = Gateway::start(serve);
    assert_eq!(known.get(&gateway, "/projects").await.unwrap().status, 200);

    proxy.set_existing(Flow::OnlyPings);
    let silent_since = site.rows("SELECT now() AS now").remove(0)["now"]
        .as_str()
        .unwrap()
        .to_owned();
    // The look-up of its key meets a silent connection.
    let first = timeout(TIMEOUT, unknown.get(&gateway, "/projects"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.status, 503, "{first:?}");
    let next = timeout(TIMEOUT, unknown.get(&gateway, "/projects"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(next.status, 200, "{next:?}");

    let beating = format!(
        "SELECT id FROM instance WHERE ended_at IS NULL AND heartbeat_at > '{silent_since}'::timestamptz + interval '2 s'"
    );
    eventually("the heartbeats of both processes", async || {
        (site.rows(&beating).len() == 2).then_some(())
    })
    .await;
    eventually("readiness", async || {
        let ready = known.get(&gateway, "/readyz").await.ok()?;
        (ready.status == 200).then_some(())
    })
    .await;

    // No new connection either: the process is not ready, and ends nevertheless.
    proxy.set(Flow::Swallow);
    eventually("the failed check", async || {
        let ready = timeout(TIMEOUT, known.get(&gateway, "/readyz")).await.unwrap().ok()?;
        (ready.status == 503).then_some(())
    })
    .await;
    gateway.stop();
    keeper.stop();
}
