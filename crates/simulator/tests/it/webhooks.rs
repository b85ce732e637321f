//! Webhooks: a listener in the test receives the events of runs.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use simulator::{Config, acme};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{TestSimulator, v2, v3};

/// Signature and body of a delivery.
type Delivery = (String, String);

/// Starts a listener that passes on its deliveries and answers with these statuses, then with 200.
async fn listen(answers: Vec<u16>) -> (String, mpsc::UnboundedReceiver<Delivery>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (queue, left) = mpsc::unbounded_channel();
    for answer in answers {
        queue.send(answer).unwrap();
    }
    let left = std::sync::Arc::new(tokio::sync::Mutex::new(left));
    let app = Router::new().fallback(async move |State(()): State<()>, headers: HeaderMap, body: String| {
        let signature = headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        sender.send((signature.unwrap_or_default(), body)).unwrap();
        StatusCode::from_u16(left.lock().await.try_recv().unwrap_or(200)).unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, receiver)
}

async fn subscribe(dbt: &TestSimulator, url: &str, events: &[&str]) -> (String, String) {
    let body = json!({ "name": "hook", "client_url": url, "event_types": events, "active": true, "job_ids": [] });
    let made = dbt.post(&v3("webhooks/subscriptions"), body).await;
    assert_eq!(
        (made.status.as_u16(), &made.json["status"]),
        (201, &json!({ "code": 201 }))
    );
    let text = |name: &str| made.data()[name].as_str().unwrap().to_owned();
    (text("id"), text("hmac_secret"))
}

async fn next(deliveries: &mut mpsc::UnboundedReceiver<Delivery>) -> Value {
    serde_json::from_str(&deliveries.recv().await.unwrap().1).unwrap()
}

#[tokio::test]
async fn start_and_completion_of_a_run_are_delivered_signed() {
    let dbt = TestSimulator::start().await;
    let (url, mut deliveries) = listen(vec![]).await;
    let (id, secret) = subscribe(&dbt, &url, &["job.run.started", "job.run.completed"]).await;
    assert!(dbt.v3(&format!("webhooks/subscription/{id}")).await.data()["hmac_secret"].is_null());
    let run = dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let (signature, body) = deliveries.recv().await.unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    assert_eq!(signature, hex::encode(mac.finalize().into_bytes()));
    let started: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&started["eventType"], &started["webhooksID"]),
        (&json!("job.run.started"), &json!(id))
    );
    assert_eq!(
        (&started["data"]["runId"], &started["data"]["runStatusCode"]),
        (&json!(run.to_string()), &json!(3))
    );
    assert_eq!(started["accountId"], acme::ACCOUNT_ID);
    dbt.pass(14);
    assert_eq!(dbt.status_of(run).await, "Success");
    assert!(deliveries.try_recv().is_err(), "completion waits for the artifacts");
    dbt.pass(3);
    let completed = next(&mut deliveries).await;
    assert_eq!(
        (&completed["eventType"], &completed["data"]["runStatus"]),
        (&json!("job.run.completed"), &json!("Success"))
    );
    assert!(completed["data"]["runFinishedAt"].is_string());
}

#[tokio::test]
async fn a_failure_is_delivered_as_errored_and_then_as_completed() {
    let dbt = TestSimulator::start().await;
    let (url, mut deliveries) = listen(vec![]).await;
    subscribe(&dbt, &url, &["job.run.errored", "job.run.completed"]).await;
    dbt.trigger(acme::FAILING_JOB_ID).await;
    dbt.pass(20);
    let errored = next(&mut deliveries).await;
    assert_eq!(
        (&errored["eventType"], &errored["data"]["runStatus"]),
        (&json!("job.run.errored"), &json!("Errored"))
    );
    assert!(errored["data"]["runErroredAt"].is_string());
    dbt.pass(3);
    assert_eq!(next(&mut deliveries).await["eventType"], "job.run.completed");
}

#[tokio::test]
async fn a_failed_delivery_is_retried_and_every_attempt_has_a_receipt() {
    let dbt = TestSimulator::start().await;
    let (url, mut deliveries) = listen(vec![500, 503]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let mut events = vec![next(&mut deliveries).await["eventId"].clone()];
    while events.len() < 3 {
        // The pauses between attempts pass in simulated time.
        dbt.pass(1);
        tokio::task::yield_now().await;
        if let Ok((_, body)) = deliveries.try_recv() {
            events.push(serde_json::from_str::<Value>(&body).unwrap()["eventId"].clone());
        }
    }
    assert!(
        events.iter().all(|event| *event == events[0]),
        "an event keeps its id: {events:?}"
    );
    let event = events[0].as_str().unwrap();
    let codes = loop {
        let receipts = dbt
            .v3(&format!("webhooks/subscription/{id}/event/{event}/receipt"))
            .await;
        let codes: Vec<String> = receipts
            .data()
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["http_status_code"].as_str().unwrap().to_owned())
            .collect();
        if codes.len() == 3 {
            break codes;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(codes, ["500", "503", "200"]);
    let events = dbt.v3(&format!("webhooks/subscription/{id}/events")).await;
    assert_eq!(events.data()[0]["http_status_code"], "200");
}

#[tokio::test]
async fn a_subscription_is_deactivated_by_switch_and_reactivated_by_a_new_address() {
    let dbt = TestSimulator::with(Config {
        webhook_timeout: Duration::from_secs(5),
        ..Config::frozen()
    })
    .await;
    dbt.running
        .change_switches(|switches| switches.webhook_deactivated_after = Some(1));
    let (url, _deliveries) = listen(vec![500; 6]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let path = format!("webhooks/subscription/{id}");
    loop {
        dbt.pass(1);
        let subscription = dbt.v3(&path).await;
        if subscription.data()["active"] == false {
            assert!(!subscription.data()["deactivate_reason"].as_str().unwrap().is_empty());
            break;
        }
        tokio::task::yield_now().await;
    }
    let body = json!({ "name": "hook", "client_url": "http://127.0.0.1:9/other", "event_types": ["job.run.started"], "active": false });
    let updated = dbt.try_send(Method::PUT, &v3(&path), Some(body)).await.unwrap();
    assert_eq!(updated.data()["active"], true);
}

#[tokio::test]
async fn a_test_calls_the_address_and_reports_the_answer() {
    let dbt = TestSimulator::start().await;
    let (url, mut deliveries) = listen(vec![418]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    let tested = dbt.v3(&format!("webhooks/subscription/{id}/test")).await;
    assert_eq!(
        (
            &tested.data()["verification_status_code"],
            &tested.data()["verification_error"]
        ),
        (&json!("418"), &Value::Null)
    );
    assert_eq!(next(&mut deliveries).await["eventType"], "webhook.test");
    assert_eq!(dbt.v3("webhooks/subscription/wsu_none").await.status, 404);
}

#[tokio::test]
async fn only_the_jobs_of_a_subscription_are_delivered() {
    let dbt = TestSimulator::start().await;
    let (url, mut deliveries) = listen(vec![]).await;
    let body = json!({ "name": "hook", "client_url": url, "event_types": ["job.run.started"], "active": true, "job_ids": [acme::NIGHTLY_JOB_ID.to_string()] });
    dbt.post(&v3("webhooks/subscriptions"), body).await;
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    dbt.post(
        &v2(&format!("jobs/{}/run/", acme::NIGHTLY_JOB_ID)),
        json!({ "cause": "events" }),
    )
    .await;
    dbt.pass(6);
    assert_eq!(
        next(&mut deliveries).await["data"]["jobId"],
        acme::NIGHTLY_JOB_ID.to_string()
    );
}

#[tokio::test]
async fn the_older_form_of_a_delivery_has_another_webhook_id_field() {
    let dbt = TestSimulator::start().await;
    dbt.running.change_switches(|switches| {
        switches.webhook_old_form = true;
        switches.webhook_ids_as_strings = true;
    });
    let (url, mut deliveries) = listen(vec![]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    let subscription = dbt.v3(&format!("webhooks/subscription/{id}")).await;
    assert_eq!(subscription.data()["account_id"], acme::ACCOUNT_ID.to_string());
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let delivery = next(&mut deliveries).await;
    assert_eq!(
        (&delivery["webhookId"], &delivery["webhooksID"]),
        (&json!(id), &Value::Null)
    );
    assert_eq!(
        (&delivery["data"]["projectId"], &delivery["data"]["runStatusCode"]),
        (&Value::Null, &Value::Null)
    );
}
