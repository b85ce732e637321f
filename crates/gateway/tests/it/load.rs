//! Many callers at once, who remember every answer they got.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::acme;
use tokio::task::JoinSet;

use crate::support::{Gateway, Site, eventually};

/// Longer than the gateway's own deadlines for key, row, dbt Cloud and close together: who waits so long was forgotten.
const FORGOTTEN: Duration = Duration::from_secs(40);

/// What came of a request; `None`: the connection broke.
pub(crate) type Asked = Option<Answer>;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request_id: String,
    pub(crate) status: u16,
    pub(crate) took: Duration,
}

/// Callers at work.
pub(crate) struct Load {
    stopping: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: JoinSet<Vec<Asked>>,
}

impl Load {
    /// Each caller reads twice and triggers once, over and over, until it is stopped or its connection breaks. No two
    /// loads of a test have one name.
    pub(crate) fn start(gateway: &Gateway, key: &str, name: &str, callers: usize) -> Self {
        let (stopping, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut load = Self {
            stopping: Arc::clone(&stopping),
            answered: Arc::clone(&answered),
            callers: JoinSet::new(),
        };
        let client = client();
        for caller in 0..callers {
            let ask = Ask::new(gateway, key, &client);
            let (stopping, answered) = (Arc::clone(&stopping), Arc::clone(&answered));
            let name = name.to_owned();
            load.callers.spawn(async move {
                let mut all = Vec::new();
                for number in 0.. {
                    if stopping.load(Ordering::Relaxed) {
                        break;
                    }
                    let asked = match number % 3 {
                        0 => {
                            ask.trigger(acme::HOURLY_JOB_ID, format!("{name} {caller}-{number}"))
                                .await
                        }
                        1 => ask.read("/projects?page_size=2").await,
                        _ => ask.read(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await,
                    };
                    let broke = asked.is_none();
                    all.push(asked);
                    if broke {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                all
            });
        }
        load
    }

    /// Waits until so many more answers have come.
    pub(crate) async fn more_answers(&self, count: usize) {
        let enough = self.answered.load(Ordering::Relaxed) + count;
        eventually("the answers", async || {
            (self.answered.load(Ordering::Relaxed) >= enough).then_some(())
        })
        .await;
    }

    /// Everything that was asked, when the last answer is there.
    pub(crate) async fn end(self) -> Vec<Asked> {
        self.stopping.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

fn client() -> reqwest::Client {
    // The first client of the process needs a provider; later ones find it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .timeout(FORGOTTEN)
        .build()
        .unwrap()
}

/// One who asks.
#[derive(Clone)]
pub(crate) struct Ask {
    client: reqwest::Client,
    origin: String,
    key: String,
}

impl Ask {
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

    pub(crate) async fn read(&self, path: &str) -> Asked {
        self.send(self.client.get(format!("{}{path}", self.origin))).await
    }

    /// `cause` names the trigger at dbt Cloud and in its row.
    pub(crate) async fn trigger(&self, job: i64, cause: String) -> Asked {
        let request = self.client.post(format!("{}/jobs/{job}/runs", self.origin));
        self.send(request.json(&json!({"cause": cause}))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Asked {
        let begun = Instant::now();
        let answer = request.bearer_auth(&self.key).send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        // Only a whole answer is one.
        answer.bytes().await.ok()?;
        Some(Answer {
            request_id: headers["x-request-id"].to_str().unwrap().to_owned(),
            status,
            took: begun.elapsed(),
        })
    }
}

/// The rows of requests that came through a route.
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

    /// When none is open any more.
    pub(crate) async fn all_closed(site: &Site) -> Self {
        eventually("the close of every row", async || {
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

/// The causes of the triggers that reached dbt Cloud, each of which came once.
pub(crate) fn causes_at_dbt(site: &Site) -> BTreeSet<String> {
    let sent = site.dbt.requests_to("POST", "/api/v2/");
    let causes: BTreeSet<_> = sent
        .iter()
        .map(|request| request.json()["cause"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(causes.len(), sent.len(), "no trigger was sent twice");
    causes
}
