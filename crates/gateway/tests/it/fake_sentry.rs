//! A fake Sentry that records envelopes; shared with the unit tests of `telemetry`.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::Value;

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
