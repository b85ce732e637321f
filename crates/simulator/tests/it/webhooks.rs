//! Webhooks: a listener of our own hears what the runs do.

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

use crate::support::{Double, v2, v3};

/// What arrived: signature and body.
type Heard = (String, String);

/// Listens, says everything it hears, answers with one status after the other and 200 after that.
async fn listen(answers: Vec<u16>) -> (String, mpsc::UnboundedReceiver<Heard>) {
    let (say, hear) = mpsc::unbounded_channel();
    let (queue, left) = mpsc::unbounded_channel();
    for answer in answers {
        queue.send(answer).unwrap();
    }
    let left = std::sync::Arc::new(tokio::sync::Mutex::new(left));
    let app = Router::new().fallback(async move |State(()): State<()>, headers: HeaderMap, body: String| {
        let signature = headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        say.send((signature.unwrap_or_default(), body)).unwrap();
        StatusCode::from_u16(left.lock().await.try_recv().unwrap_or(200)).unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, hear)
}

async fn subscribe(dbt: &Double, url: &str, events: &[&str]) -> (String, String) {
    let body = json!({ "name": "hook", "client_url": url, "event_types": events, "active": true, "job_ids": [] });
    let made = dbt.post(&v3("webhooks/subscriptions"), body).await;
    assert_eq!(
        (made.status.as_u16(), &made.json["status"]),
        (201, &json!({ "code": 201 }))
    );
    let text = |name: &str| made.data()[name].as_str().unwrap().to_owned();
    (text("id"), text("hmac_secret"))
}

async fn next(hear: &mut mpsc::UnboundedReceiver<Heard>) -> Value {
    serde_json::from_str(&hear.recv().await.unwrap().1).unwrap()
}

#[tokio::test]
async fn the_life_of_a_run_is_told_in_signed_deliveries() {
    let dbt = Double::start().await;
    let (url, mut hear) = listen(vec![]).await;
    let (id, secret) = subscribe(&dbt, &url, &["job.run.started", "job.run.completed"]).await;
    assert!(dbt.v3(&format!("webhooks/subscription/{id}")).await.data()["hmac_secret"].is_null());
    let run = dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let (signature, body) = hear.recv().await.unwrap();
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
    assert!(hear.try_recv().is_err(), "completion waits for the artifacts");
    dbt.pass(3);
    let completed = next(&mut hear).await;
    assert_eq!(
        (&completed["eventType"], &completed["data"]["runStatus"]),
        (&json!("job.run.completed"), &json!("Success"))
    );
    assert!(completed["data"]["runFinishedAt"].is_string());
}

#[tokio::test]
async fn a_failure_is_told_at_once_and_again_as_completed() {
    let dbt = Double::start().await;
    let (url, mut hear) = listen(vec![]).await;
    subscribe(&dbt, &url, &["job.run.errored", "job.run.completed"]).await;
    dbt.trigger(acme::FAILING_JOB_ID).await;
    dbt.pass(20);
    let errored = next(&mut hear).await;
    assert_eq!(
        (&errored["eventType"], &errored["data"]["runStatus"]),
        (&json!("job.run.errored"), &json!("Errored"))
    );
    assert!(errored["data"]["runErroredAt"].is_string());
    dbt.pass(3);
    assert_eq!(next(&mut hear).await["eventType"], "job.run.completed");
}

#[tokio::test]
async fn a_delivery_that_fails_is_repeated_and_every_attempt_is_on_record() {
    let dbt = Double::start().await;
    let (url, mut hear) = listen(vec![500, 503]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let mut heard = vec![next(&mut hear).await["eventId"].clone()];
    while heard.len() < 3 {
        // The pauses between attempts pass in simulated time.
        dbt.pass(1);
        tokio::task::yield_now().await;
        if let Ok((_, body)) = hear.try_recv() {
            heard.push(serde_json::from_str::<Value>(&body).unwrap()["eventId"].clone());
        }
    }
    assert!(
        heard.iter().all(|event| *event == heard[0]),
        "an event keeps its id: {heard:?}"
    );
    let event = heard[0].as_str().unwrap();
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
async fn a_subscription_is_given_up_when_switched_so_and_revived_by_another_address() {
    let dbt = Double::with(Config {
        webhook_timeout: Duration::from_secs(5),
        ..Config::frozen()
    })
    .await;
    dbt.running
        .change_switches(|switches| switches.webhook_deactivated_after = Some(1));
    let (url, _hear) = listen(vec![500; 6]).await;
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
async fn a_test_calls_the_address_and_says_what_came_back() {
    let dbt = Double::start().await;
    let (url, mut hear) = listen(vec![418]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    let tested = dbt.v3(&format!("webhooks/subscription/{id}/test")).await;
    assert_eq!(
        (
            &tested.data()["verification_status_code"],
            &tested.data()["verification_error"]
        ),
        (&json!("418"), &Value::Null)
    );
    assert_eq!(next(&mut hear).await["eventType"], "webhook.test");
    assert_eq!(dbt.v3("webhooks/subscription/wsu_none").await.status, 404);
}

#[tokio::test]
async fn only_the_jobs_of_a_subscription_are_told() {
    let dbt = Double::start().await;
    let (url, mut hear) = listen(vec![]).await;
    let body = json!({ "name": "hook", "client_url": url, "event_types": ["job.run.started"], "active": true, "job_ids": [acme::NIGHTLY_JOB_ID.to_string()] });
    dbt.post(&v3("webhooks/subscriptions"), body).await;
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    dbt.post(
        &v2(&format!("jobs/{}/run/", acme::NIGHTLY_JOB_ID)),
        json!({ "cause": "heard" }),
    )
    .await;
    dbt.pass(6);
    assert_eq!(next(&mut hear).await["data"]["jobId"], acme::NIGHTLY_JOB_ID.to_string());
}

#[tokio::test]
async fn the_older_form_of_a_delivery_names_its_webhook_otherwise() {
    let dbt = Double::start().await;
    dbt.running.change_switches(|switches| {
        switches.webhook_old_form = true;
        switches.webhook_ids_as_strings = true;
    });
    let (url, mut hear) = listen(vec![]).await;
    let (id, _) = subscribe(&dbt, &url, &["job.run.started"]).await;
    let subscription = dbt.v3(&format!("webhooks/subscription/{id}")).await;
    assert_eq!(subscription.data()["account_id"], acme::ACCOUNT_ID.to_string());
    dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(6);
    let heard = next(&mut hear).await;
    assert_eq!((&heard["webhookId"], &heard["webhooksID"]), (&json!(id), &Value::Null));
    assert_eq!(
        (&heard["data"]["projectId"], &heard["data"]["runStatusCode"]),
        (&Value::Null, &Value::Null)
    );
}
