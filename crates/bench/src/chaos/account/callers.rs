//! Callers that read at a fixed pace, each on a connection of its own, and what they saw.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::chaos::cluster::Cluster;
use crate::http::connect;
use crate::latencies::Latencies;

/// The pace of the callers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) callers: usize,
    /// From one request of a caller to its next. A request that lasts longer is followed by the next one at once.
    pub(super) every: Duration,
    pub(super) until: Instant,
    /// The most requests of each caller.
    pub(super) most: u64,
}

/// What the callers saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// Of answers with status 200.
    pub(super) answered: Latencies,
    /// Answers with status 200 by `x-cache`.
    pub(super) sources: BTreeMap<String, u64>,
    /// The other answers, by status and problem, with how long each took.
    pub(super) refused: BTreeMap<String, Latencies>,
    /// When the last answer came that was not a 200.
    pub(super) last_refused: Option<Instant>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            answered: Latencies::new(),
            sources: BTreeMap::new(),
            refused: BTreeMap::new(),
            last_refused: None,
        }
    }

    /// The number of answers that begin so: `429`, or `429 budget-exhausted`.
    pub(super) fn refused_with(&self, name: &str) -> u64 {
        let named = self.refused.iter().filter(|(key, _)| key.starts_with(name));
        named.map(|(_, latencies)| latencies.count()).sum()
    }

    /// The part of the answers with status 200 that needed no exchange of their own, in percent.
    #[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
    pub(super) fn hit_rate(&self) -> f64 {
        let of = |name| self.sources.get(name).copied().unwrap_or(0);
        100.0 * (of("hit") + of("coalesced")) as f64 / self.answered.count().max(1) as f64
    }

    /// The answers in words: `1200 answered (p50 1.0 ms, p99 2.0 ms), 3 × 429 budget-exhausted (longest 5.0 ms)`.
    pub(super) fn words(&self) -> String {
        let answered = &self.answered;
        let mut words = format!(
            "{} answered (p50 {:.1} ms, p99 {:.1} ms)",
            answered.count(),
            answered.percentile_ms(50.0),
            answered.percentile_ms(99.0)
        );
        words.extend(self.refused.iter().map(|(name, latencies)| {
            format!(
                ", {} × {name} (p50 {:.1} ms, longest {:.1} ms)",
                latencies.count(),
                latencies.percentile_ms(50.0),
                latencies.percentile_ms(100.0)
            )
        }));
        words
    }

    fn record(&mut self, outcome: anyhow::Result<Answered>, took: Duration) {
        let name = match outcome {
            Ok(Answered::Whole(source)) => {
                self.answered.record(took);
                *self.sources.entry(source).or_default() += 1;
                return;
            }
            Ok(Answered::Refused(name)) => name,
            Err(error) => format!("no answer: {error}"),
        };
        self.last_refused = Some(Instant::now());
        self.refused.entry(name).or_insert_with(Latencies::new).record(took);
    }
}

enum Answered {
    /// Status 200, with its `x-cache`.
    Whole(String),
    /// Another status, with the problem's name.
    Refused(String),
}

/// Reads at the gateways in turns, caller by caller. `path` has the number of the caller and that of its request.
pub(super) async fn read(
    cluster: &Cluster,
    pace: Pace,
    path: impl Fn(usize, u64) -> String,
    seen: &RefCell<Seen>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let path = &path;
    let all = (0..pace.callers).map(|number| async move {
        let mut caller = Caller {
            address: cluster.addresses[number % cluster.addresses.len()],
            authorization: &cluster.authorization,
            connection: None,
        };
        // Spread over the first interval.
        let mut due =
            began + pace.every * u32::try_from(number).unwrap_or(0) / u32::try_from(pace.callers).unwrap_or(1);
        for request in 0..pace.most {
            sleep_until(due.min(pace.until)).await;
            let sent = Instant::now();
            if sent >= pace.until {
                return;
            }
            let outcome = caller.get(&path(number, request)).await;
            seen.borrow_mut().record(outcome, sent.elapsed());
            due = (due + pace.every).max(Instant::now());
        }
    });
    join_all(all).await;
    Ok(())
}

struct Caller<'a> {
    address: SocketAddr,
    authorization: &'a str,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

impl Caller<'_> {
    async fn get(&mut self, path: &str) -> anyhow::Result<Answered> {
        let mut connection = match self.connection.take().filter(|known| !known.is_closed()) {
            Some(known) => known,
            None => connect(self.address).await?,
        };
        let request = Request::builder()
            .uri(path)
            .header(HOST, "bench")
            .header(AUTHORIZATION, self.authorization)
            .body(Empty::new())?;
        let answer = connection.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.ready().await?;
        self.connection = Some(connection);
        if head.status == StatusCode::OK {
            let source = head.headers.get("x-cache").and_then(|source| source.to_str().ok());
            return Ok(Answered::Whole(source.unwrap_or("none").to_owned()));
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let problem = body["type"].as_str().and_then(|name| name.rsplit('/').next());
        Ok(Answered::Refused(format!(
            "{} {}",
            head.status.as_u16(),
            problem.unwrap_or("-")
        )))
    }
}
