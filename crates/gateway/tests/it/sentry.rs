//! Reports to Sentry: one event per error, without secrets, received by a fake Sentry.
//!
//! Each test prints the envelopes: `cargo nextest run -p gateway sentry --no-capture`.

use simulator::{Fault, acme};

use crate::fake_sentry::FakeSentry;
use crate::postgres_proxy::PostgresProxy;
use crate::support::{Caller, Gateway, Site, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_reported_once_and_an_upstream_404_is_not() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let caller = Caller::new(&key);
    let sentry = FakeSentry::default();
    let mut serve = site.command(&["serve"]);
    serve.env("SENTRY_DSN", sentry.start().await);
    let gateway = Gateway::start(serve);

    assert_eq!(caller.get(&gateway, "/runs/1").await.unwrap().status, 404);
    site.dbt.add_fault(Fault::on("GET", "/api/v3/").status(401));
    let refused = caller.get(&gateway, "/projects").await.unwrap();
    assert_eq!(refused.status, 502);

    let event = eventually("the event", async || sentry.events().pop()).await;
    // The shutdown sends all queued events.
    gateway.stop();
    let events = sentry.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    // The level is omitted when it is Sentry's default, error.
    assert!(event.get("level").is_none_or(|level| level == "error"), "{event}");
    assert_eq!(event["tags"]["request.uuid"], refused.request_id);
    assert_eq!(event["message"], "dbt Cloud refused our credentials");
    assert!(
        event["release"].as_str().unwrap().starts_with("dbt-gateway@"),
        "{event}"
    );
    assert_eq!(
        (&event["tags"]["request.type"], &event["tags"]["company.id"]),
        (&"list_projects".into(), &"1".into())
    );
    let everything = sentry.received().join("\n");
    println!("a 404 of dbt Cloud: no envelope; a refused credential:\n{everything}");
    for secret in [acme::TOKEN, key.as_str()] {
        assert!(!everything.contains(secret), "{secret} is in {everything}");
    }
}

#[tokio::test]
async fn a_sentry_that_never_answers_does_not_delay_the_shutdown() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    // Connections are accepted by the kernel and never read.
    let unresponsive = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut serve = site.command(&["serve"]);
    serve.env(
        "SENTRY_DSN",
        format!("http://key@{}/1", unresponsive.local_addr().unwrap()),
    );
    let gateway = Gateway::start(serve);
    site.dbt.add_fault(Fault::everywhere().status(401));
    assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 502);
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_events_of_an_outage_are_sent_and_the_others_counted() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    let sentry = FakeSentry::default();
    let mut serve = site.command(&["serve"]);
    serve
        .env("SENTRY_DSN", sentry.start().await)
        .env("DBT_GATEWAY__SENTRY__MAX_EVENTS_PER_MINUTE", "3");
    let mut gateway = Gateway::start(serve);
    site.dbt.add_fault(Fault::everywhere().status(401));
    for _ in 0..10 {
        assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 502);
    }
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    assert_eq!(sentry.events().len(), 3, "sent before the process ended");
    let line = gateway.wait_for_line("were not sent to Sentry");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["events"], 7, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_database_is_one_event_per_failed_request() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let caller = Caller::new(&key);
    let sentry = FakeSentry::default();
    // It only runs the Postgres.
    let keeper = site.serve();
    let proxy = PostgresProxy::start(site.data_dir().join("run/.s.PGSQL.5432")).await;
    let mut serve = site.command(&["serve"]);
    serve.env("SENTRY_DSN", sentry.start().await).env(
        "DATABASE_URL",
        format!("postgres://postgres@127.0.0.1:{}/dbt_gateway", proxy.port()),
    );
    let gateway = Gateway::start(serve);
    proxy.cut(true);
    let refused = caller.get(&gateway, "/projects").await.unwrap();
    assert_eq!(refused.status, 503);
    proxy.cut(false);
    gateway.stop();
    keeper.stop();
    let events = sentry.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["tags"]["request.uuid"], refused.request_id);
}
