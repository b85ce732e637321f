//! Concurrent callers that record every answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::acme;
use tokio::task::JoinSet;

use crate::support::{Gateway, Site, eventually};

/// Longer than the gateway's timeouts for key, row, dbt Cloud and close together.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The answer to a request; `None`: the connection broke.
pub(crate) type Reply = Option<Answer>;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request_id: String,
    pub(crate) status: u16,
    pub(crate) took: Duration,
}

/// Running callers.
pub(crate) struct Load {
    stopping: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: JoinSet<Vec<Reply>>,
}

impl Load {
    /// Each caller repeats a trigger and two reads until it is stopped or its connection breaks. `name` must be unique
    /// within a test.
    pub(crate) fn start(gateway: &Gateway, key: &str, name: &str, callers: usize) -> Self {
        let (stopping, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut load = Self {
            stopping: Arc::clone(&stopping),
            answered: Arc::clone(&answered),
            callers: JoinSet::new(),
        };
        let client = client();
        for caller in 0..callers {
            let requester = LoadCaller::new(gateway, key, &client);
            let (stopping, answered) = (Arc::clone(&stopping), Arc::clone(&answered));
            let name = name.to_owned();
            load.callers.spawn(async move {
                let mut replies = Vec::new();
                for number in 0.. {
                    if stopping.load(Ordering::Relaxed) {
                        break;
                    }
                    let reply = match number % 3 {
                        0 => {
                            requester
                                .trigger(acme::HOURLY_JOB_ID, format!("{name} {caller}-{number}"))
                                .await
                        }
                        1 => requester.read("/projects?page_size=2").await,
                        _ => requester.read(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await,
                    };
                    let broke = reply.is_none();
                    replies.push(reply);
                    if broke {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                replies
            });
        }
        load
    }

    /// Waits for `count` more answers.
    pub(crate) async fn more_answers(&self, count: usize) {
        let enough = self.answered.load(Ordering::Relaxed) + count;
        eventually("the answers", async || {
            (self.answered.load(Ordering::Relaxed) >= enough).then_some(())
        })
        .await;
    }

    /// Stops the callers and returns every reply.
    pub(crate) async fn end(self) -> Vec<Reply> {
        self.stopping.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

fn client() -> reqwest::Client {
    // Fails if it is already installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap()
}

/// Sends requests with a key.
#[derive(Clone)]
pub(crate) struct LoadCaller {
    client: reqwest::Client,
    origin: String,
    key: String,
}

impl LoadCaller {
    fn new(gateway: &Gateway, key: &str, client: &reqwest::Client) -> Self {
        Self {
            client: client.clone(),
            origin: gateway.url(""),
            key: key.to_owned(),
        }
    }

    pub(crate) fn of(gateway: &Gateway, key: &str) -> Self {
        Self::new(gateway, key, &client())
    }

    pub(crate) async fn read(&self, path: &str) -> Reply {
        self.send(self.client.get(format!("{}{path}", self.origin))).await
    }

    /// `cause` identifies the trigger at dbt Cloud and in its row.
    pub(crate) async fn trigger(&self, job: i64, cause: String) -> Reply {
        let request = self.client.post(format!("{}/jobs/{job}/runs", self.origin));
        self.send(request.json(&json!({"cause": cause}))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let started = Instant::now();
        let answer = request.bearer_auth(&self.key).send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        // A truncated body counts as a broken connection.
        answer.bytes().await.ok()?;
        Some(Answer {
            request_id: headers["x-request-id"].to_str().unwrap().to_owned(),
            status,
            took: started.elapsed(),
        })
    }
}

/// The rows of requests to the REST surface, by request UUID.
pub(crate) struct Rows(BTreeMap<String, Value>);

impl Rows {
    pub(crate) fn of(site: &Site) -> Self {
        let rows = site.rows(
            "SELECT request_uuid, request_type, outcome, attempts, run_id, instance_id, args->'order'->>'cause' AS cause
             FROM request_log WHERE surface = 'rest'",
        );
        let name = |row: &Value| row["request_uuid"].as_str().unwrap().to_owned();
        Self(rows.into_iter().map(|row| (name(&row), row)).collect())
    }

    /// Waits until no row is open.
    pub(crate) async fn all_closed(site: &Site) -> Self {
        eventually("no open row", async || {
            let rows = Self::of(site);
            (rows.with_outcome(&Value::Null) == 0).then_some(rows)
        })
        .await
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, request_id: &str) -> Option<&Value> {
        self.0.get(request_id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    pub(crate) fn with_outcome(&self, outcome: &Value) -> usize {
        self.iter().filter(|row| row["outcome"] == *outcome).count()
    }

    pub(crate) fn triggers(&self) -> impl Iterator<Item = &Value> {
        self.iter().filter(|row| row["request_type"] == "trigger_job")
    }
}

/// The causes of the triggers that reached dbt Cloud, without the gateway's marker; panics if one was sent twice.
pub(crate) fn causes_at_dbt(site: &Site) -> BTreeSet<String> {
    let sent = site.dbt.requests_to("POST", "/api/v2/");
    let causes: BTreeSet<_> = sent
        .iter()
        .map(|request| {
            let cause = request.json()["cause"].as_str().unwrap().to_owned();
            cause.split(" [dgw:").next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(causes.len(), sent.len(), "no trigger was sent twice");
    causes
}
