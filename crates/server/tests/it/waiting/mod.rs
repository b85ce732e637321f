//! Waiting for runs, and following their events, whatever happens to dbt Cloud and to the gateway.

mod background;
mod cancels;
mod events;
mod progress;
mod sse;
mod waits;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::acme;

use self::background::Background;
use crate::support::{Answer, TestApp};

/// Longer than a run of the simulator lasts.
const WHOLE_RUN: Duration = Duration::from_hours(3);

/// Starts a run of the slow job, which waits for no other.
async fn start_run(app: &TestApp) -> i64 {
    let body = json!({"cause": "waited for", "github_pull_request_id": 1});
    let started = app.operator().post(&trigger(), &body).await;
    started.expect(201)["id"].as_i64().unwrap()
}

fn trigger() -> String {
    format!("/jobs/{}/runs", acme::SLOW_JOB_ID)
}

/// Waits for a run.
async fn wait_for(app: &TestApp, run: i64, query: &str) -> Answer {
    app.viewer().get(&format!("/runs/{run}/wait?{query}")).await
}

/// A page of the events of a run.
async fn events_of(app: &TestApp, run: i64, after: i64) -> Value {
    let path = format!("/runs/{run}/events?format=json&after={after}");
    app.viewer().get(&path).await.expect(200)
}

/// The events of a run once it has ended.
async fn whole_story(app: &TestApp, run: i64) -> Vec<Value> {
    crate::support::eventually(async || {
        let page = events_of(app, run, 0).await;
        page["is_finished"]
            .as_bool()
            .unwrap()
            .then(|| page["results"].as_array().unwrap().clone())
    })
    .await
}

/// The kinds of events, and their statuses where they have one.
fn words(events: &[Value]) -> Vec<String> {
    let word = |event: &Value| {
        let kind = event["event"].as_str().unwrap().trim_start_matches("run.");
        match event["data"]["status"].as_str() {
            Some(status) => format!("{kind} {status}"),
            None => kind.to_owned(),
        }
    };
    events.iter().map(word).collect()
}

/// Whether the numbers of these events grow.
fn assert_in_order(events: &[Value]) {
    let ids: Vec<i64> = events.iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

/// A request that starts a run and waits for it.
async fn start_and_wait(app: &TestApp, query: &str, key: Option<&str>) -> Answer {
    let operator = app.operator();
    let request = operator.request(Method::POST, &format!("{}?{query}", trigger()));
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    let body = json!({"cause": "waited for", "github_pull_request_id": 1});
    operator.send(request.json(&body)).await
}
