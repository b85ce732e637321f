//! Sentry hears what a person must act on, once, and no secret; proven at a fake endpoint that receives real envelopes.
//!
//! Each test prints what it received: `cargo nextest run -p gateway sentry --no-capture`.

use simulator::{Fault, acme};

use crate::fake_sentry::FakeSentry;
use crate::proxy::Proxy;
use crate::support::{Caller, Gateway, Site, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_reported_once_and_an_upstream_404_never() {
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
    // A stop flushes, so whatever else would be sent is here afterwards.
    gateway.stop();
    let events = sentry.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    // Sentry's default level, error, is not spelled out.
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
async fn a_sentry_that_never_answers_does_not_hold_up_a_stop() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    // The system accepts for it; nobody ever reads.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut serve = site.command(&["serve"]);
    serve.env("SENTRY_DSN", format!("http://key@{}/1", deaf.local_addr().unwrap()));
    let gateway = Gateway::start(serve);
    site.dbt.add_fault(Fault::everywhere().status(401));
    assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 502);
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_by_its_first_events_and_the_others_are_counted() {
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
async fn a_database_that_is_away_is_one_event_for_each_request_that_failed_of_it() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let caller = Caller::new(&key);
    let sentry = FakeSentry::default();
    // It runs the Postgres, and nothing else.
    let keeper = site.serve();
    let proxy = Proxy::to(site.data_dir().join("run/.s.PGSQL.5432")).await;
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
