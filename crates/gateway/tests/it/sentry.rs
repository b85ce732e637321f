//! Sentry hears what a person must act on, once, and no secret; proven at a fake endpoint that receives real envelopes.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::Value;
use simulator::{Fault, acme};

use crate::support::{Caller, Gateway, Site, eventually};

#[derive(Clone, Default)]
pub(crate) struct FakeSentry(Arc<Mutex<Vec<String>>>);

impl FakeSentry {
    /// Starts it; returns its DSN.
    pub(crate) async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .fallback(async |State(sentry): State<Self>, envelope: Bytes| sentry.receive(&envelope))
            .with_state(self.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        format!("http://dsn_s3cret@{address}/1")
    }

    fn receive(&self, envelope: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .push(String::from_utf8_lossy(envelope).into_owned());
    }

    /// Every envelope received so far.
    pub(crate) fn received(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The error events received so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let envelopes = self.0.lock().unwrap();
        envelopes
            .iter()
            .flat_map(|envelope| envelope.lines())
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|item| item.get("event_id").is_some() && item.get("platform").is_some())
            .collect()
    }
}

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
    let everything = sentry.received().join("\n");
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
