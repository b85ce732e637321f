//! A reader of server-sent events.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Caller, FOREVER};

/// An open stream.
pub(super) struct Sse {
    response: Response,
    text: String,
    /// Comments that have arrived.
    pub(super) heartbeats: usize,
    /// The last `retry`.
    pub(super) retry: Option<String>,
}

impl Sse {
    pub(super) async fn open(caller: &Caller<'_>, path: &str, last: Option<i64>) -> Self {
        let request = caller
            .request(reqwest::Method::GET, path)
            .header("accept", "text/event-stream");
        let request = match last {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(
            (header("cache-control"), header("x-accel-buffering")),
            ("no-store".into(), "no".into())
        );
        assert!(response.headers().get("content-encoding").is_none());
        Self {
            response,
            text: String::new(),
            heartbeats: 0,
            retry: None,
        }
    }

    /// The next event, in the form of a page; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n") else {
                let more = timeout(Duration::from_secs(30), self.response.chunk())
                    .await
                    .expect("the stream is silent");
                // A stream that ends early has no end mark of HTTP: an error.
                let Ok(Some(more)) = more else { return None };
                self.text.push_str(std::str::from_utf8(&more).unwrap());
                continue;
            };
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.text = rest;
            let field = |name: &str| {
                let prefix = format!("{name}: ");
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(&prefix))
                    .map(str::to_owned)
            };
            self.heartbeats += usize::from(block == ":");
            self.retry = field("retry").or(self.retry.take());
            if let Some(event) = field("event") {
                let id: Option<i64> = field("id").map(|id| id.parse().unwrap());
                let data: Value = serde_json::from_str(&field("data").unwrap()).unwrap();
                return Some(json!({"id": id, "event": event, "data": data}));
            }
        }
    }

    /// Events until the stream ends.
    pub(super) async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = timeout(FOREVER, self.next()).await.unwrap() {
            events.push(event);
        }
        events
    }
}
