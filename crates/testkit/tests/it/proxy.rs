//! The proxy: each flow does what it says.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};
use testkit::{Flow, SwitchableProxy, TestDatabase};
use tokio::time::timeout;

/// Ends a test that would otherwise wait for ever.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Long enough for an answer that is on its way.
const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn existing_connections_fall_silent_and_new_ones_work() {
    let database = TestDatabase::empty().await;
    let options: PgConnectOptions = database.url().parse().expect("a URL");
    let proxy = SwitchableProxy::start(&options).await;
    let url = proxy.url(&options);

    let mut old = PgConnection::connect(&url).await.expect("it passes");
    old.execute("SELECT 1").await.expect("it passes");
    proxy.set_existing(Flow::OnlyPings);
    timeout(TIMEOUT, old.ping()).await.expect("in time").expect("answered");
    assert!(timeout(SILENCE, old.execute("SELECT 1")).await.is_err());

    let mut new = timeout(TIMEOUT, PgConnection::connect(&url))
        .await
        .expect("in time")
        .expect("it passes");
    new.execute("SELECT 1").await.expect("it passes");
    proxy.set(Flow::Swallow);
    assert!(timeout(SILENCE, new.ping()).await.is_err());
    assert!(timeout(SILENCE, PgConnection::connect(&url)).await.is_err());

    proxy.set(Flow::Refuse);
    let broken = timeout(TIMEOUT, new.execute("SELECT 1")).await.expect("in time");
    assert!(broken.is_err(), "it is closed");
    assert!(
        timeout(TIMEOUT, PgConnection::connect(&url))
            .await
            .expect("in time")
            .is_err()
    );

    proxy.set(Flow::Delay(Duration::from_millis(1)));
    timeout(TIMEOUT, PgConnection::connect(&url))
        .await
        .expect("in time")
        .expect("late, but passed on");
}
