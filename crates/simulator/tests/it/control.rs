//! The control endpoint.

use serde_json::{Value, json};
use simulator::acme;

use crate::support::{TestSimulator, v2};

async fn control(dbt: &TestSimulator, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}{path}", dbt.running.control_url());
    let mut request = dbt.client.request(method.parse().unwrap(), url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn the_clock_is_read_moved_and_scaled() {
    let dbt = TestSimulator::start().await;
    let (_, before) = control(&dbt, "GET", "/clock", None).await;
    assert_eq!(before, json!({ "now": "2026-01-15T09:00:00.000000Z", "scale": 0.0 }));
    let (status, after) = control(&dbt, "POST", "/clock/advance", Some(json!({ "seconds": 90.5 }))).await;
    assert_eq!((status, &after["now"]), (200, &json!("2026-01-15T09:01:30.500000Z")));
    assert_eq!(
        control(&dbt, "POST", "/clock/advance", Some(json!({ "seconds": -1 })))
            .await
            .0,
        400
    );
    let (_, scaled) = control(&dbt, "PATCH", "/clock", Some(json!({ "scale": 60 }))).await;
    assert_eq!(scaled["scale"], 60.0);
}

#[tokio::test]
async fn a_fault_is_switched_on_listed_and_switched_off() {
    let dbt = TestSimulator::start().await;
    let fault = json!({ "method": "GET", "path_prefix": "/api/v3/", "effect": { "kind": "answer", "status": 502, "body": { "kind": "html" } } });
    let (status, made) = control(&dbt, "POST", "/faults", Some(fault)).await;
    assert_eq!((status, &made), (201, &json!({ "id": 1 })));
    assert_eq!(dbt.v3("projects/").await.status, 502);
    assert_eq!(
        control(&dbt, "GET", "/faults", None).await.1.as_array().unwrap().len(),
        1
    );
    assert_eq!(control(&dbt, "DELETE", "/faults/1", None).await.0, 204);
    assert_eq!(control(&dbt, "DELETE", "/faults/1", None).await.0, 404);
    assert_eq!(dbt.v3("projects/").await.status, 200);
    assert_eq!(
        control(&dbt, "POST", "/faults", Some(json!({ "pathprefix": "/" })))
            .await
            .0,
        422
    );
}

#[tokio::test]
async fn only_the_named_switches_change_and_unknown_ones_are_refused() {
    let dbt = TestSimulator::start().await;
    let (status, all) = control(&dbt, "PATCH", "/switches", Some(json!({ "limit_over_100": "refuse" }))).await;
    assert_eq!(
        (status, &all["limit_over_100"], &all["wrong_slash"]),
        (200, &json!("refuse"), &json!("serve"))
    );
    assert_eq!(dbt.v2("jobs/?limit=101").await.status, 400);
    assert_eq!(
        control(&dbt, "PATCH", "/switches", Some(json!({ "limit": "refuse" })))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn requests_are_read_back_as_they_were_sent() {
    let dbt = TestSimulator::start().await;
    let sent = v2("runs/?status__in=%5B10%2C20%5D&order_by=-id");
    assert_eq!(dbt.get(&sent).await.status, 200);
    dbt.post(
        &v2(&format!("jobs/{}/run/", acme::NIGHTLY_JOB_ID)),
        json!({ "cause": "read me back" }),
    )
    .await;
    let (_, requests) = control(&dbt, "GET", "/requests", None).await;
    assert_eq!(requests[0]["target"], sent);
    assert_eq!(requests[0]["status"], 200);
    assert_eq!(requests[0]["operation"], "/api/v2/accounts/{account_id}/runs/");
    assert_eq!(requests[1]["body"], r#"{"cause":"read me back"}"#);
    let (_, posts) = control(&dbt, "GET", "/requests?method=post", None).await;
    assert_eq!(posts.as_array().unwrap().len(), 1);
    assert_eq!(control(&dbt, "DELETE", "/requests", None).await.0, 204);
    assert!(dbt.running.requests().is_empty());
}

#[tokio::test]
async fn the_script_of_a_job_is_set_through_the_control_endpoint() {
    let dbt = TestSimulator::start().await;
    let script = json!({ "command_secs": 1, "outcome": { "kind": "fail", "command": 1 } });
    let path = format!("/jobs/{}/script", acme::NIGHTLY_JOB_ID);
    assert_eq!(control(&dbt, "PUT", &path, Some(script.clone())).await.0, 204);
    assert_eq!(control(&dbt, "PUT", "/jobs/1/script", Some(script)).await.0, 404);
    let run = dbt.trigger(acme::NIGHTLY_JOB_ID).await;
    dbt.pass(20);
    assert_eq!(dbt.status_of(run).await, "Error");
}
