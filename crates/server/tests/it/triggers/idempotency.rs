//! The header `Idempotency-Key`.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use simulator::{Fault, acme};

use super::{body, path, received, replica, with_key};
use crate::support::{Setup, TestApp, running_and_failed_run};

#[tokio::test]
async fn a_repeat_gets_the_first_answer_from_any_replica() {
    let app = TestApp::start().await;
    let first = with_key(&app, "orders-1", &path(), &body("once")).await;
    let run = first.expect(201);
    let other = replica(&app, 2, Setup::default()).await;
    for gateway in [&app, &other] {
        let operator = gateway.with_key(app.key(model::Role::Operator));
        // White space and the order of fields do not count, nor do quotation marks around the key.
        let request = operator
            .request(Method::POST, &path())
            .header("idempotency-key", "\"orders-1\"");
        let request = request
            .header("content-type", "application/json")
            .body("{ \"cause\" :\n \"once\" }");
        let repeat = operator.send(request).await;
        assert_eq!(repeat.expect(201), run);
        assert_eq!(repeat.header("location"), first.header("location"));
        assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
        assert_eq!(repeat.header("x-run-origin"), Some("replayed"));
    }
    assert_eq!((received(&app), first.header("idempotency-replayed")), (1, None));
    // Another key of the company has keys of its own.
    let admin = app.caller(model::Role::Admin);
    let request = admin
        .request(Method::POST, &path())
        .header("idempotency-key", "orders-1");
    let another = admin.send(request.json(&body("once"))).await.expect(201);
    assert_ne!(another["id"], run["id"]);
}

#[tokio::test]
async fn a_changed_request_is_refused_and_told_what_differs() {
    let app = TestApp::start().await;
    with_key(&app, "k", &path(), &body("once")).await.expect(201);
    let other = json!({"cause": "twice", "git_branch": "main"});
    let answer = with_key(&app, "k", &path(), &other).await;
    let problem = answer.problem(422, "idempotency-mismatch");
    assert_eq!(problem["errors"]["differs"], json!(["cause", "git_branch"]));
    let answer = with_key(&app, "k", &format!("{}?if_running=reject", path()), &body("once")).await;
    assert_eq!(
        answer.problem(422, "idempotency-mismatch")["errors"]["differs"],
        json!(["if_running"])
    );
    assert_eq!(received(&app), 1);
}

#[tokio::test]
async fn two_hundred_duplicates_at_two_replicas_start_one_run() {
    let app = TestApp::start().await;
    let other = replica(&app, 2, Setup::default()).await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").delay_before_ms(100));
    let key = app.key(model::Role::Operator);
    let answers = join_all((0..200).map(|index| {
        let gateway = if index % 2 == 0 { &app } else { &other };
        async move {
            let operator = gateway.with_key(key);
            let request = operator
                .request(Method::POST, &path())
                .header("idempotency-key", "storm");
            operator.send(request.json(&body("storm"))).await
        }
    }))
    .await;
    assert_eq!(received(&app), 1);
    let mut ids = Vec::new();
    for answer in answers {
        if answer.status == 201 {
            ids.push(answer.json()["id"].as_i64().unwrap());
        } else {
            answer.problem(409, "idempotency-in-flight");
            assert!(answer.header("retry-after").is_some());
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let repeat = with_key(&app, "storm", &path(), &body("storm")).await.expect(201);
    assert_eq!(repeat["id"], ids[0]);
}

#[tokio::test]
async fn a_refusal_is_forgotten() {
    let app = TestApp::start().await;
    for status in [400, 401, 403, 404, 429] {
        let on = app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().status(status));
        let refused = with_key(&app, "k", &path(), &body("again")).await;
        assert!(!refused.status.is_success(), "{status}");
        app.dbt.remove_fault(on);
    }
    with_key(&app, "k", &path(), &body("again")).await.expect(201);
}

#[tokio::test]
async fn a_repeat_while_the_run_is_looked_for_looks_once_more() {
    let app = super::without_waiting().start().await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 60);
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    with_key(&app, "k", &path(), &body("x"))
        .await
        .problem(504, "trigger-unresolved");
    let answer = with_key(&app, "k", &path(), &body("x")).await;
    answer.problem(409, "idempotency-in-flight");
    app.dbt.advance(Duration::from_secs(61));
    let found = with_key(&app, "k", &path(), &body("x")).await;
    found.expect(201);
    assert_eq!((found.header("x-run-origin"), received(&app)), (Some("resolved"), 1));
}

#[tokio::test]
async fn malformed_keys_and_keys_without_effect_are_refused() {
    let app = TestApp::start().await;
    for key in ["", "\"open", "t\u{e4}glich", &"x".repeat(256)] {
        let operator = app.operator();
        let request = operator.request(Method::POST, &path()).header("idempotency-key", key);
        let answer = operator.send(request.json(&body("x"))).await;
        assert!(
            answer.problem(400, "invalid-request")["detail"]
                .as_str()
                .unwrap()
                .contains("Idempotency-Key")
        );
    }
    let viewer = app.viewer();
    let request = viewer.request(Method::GET, "/projects").header("idempotency-key", "k");
    let answer = viewer.send(request).await;
    assert!(
        answer.problem(400, "invalid-request")["detail"]
            .as_str()
            .unwrap()
            .contains("no effect")
    );
    let answer = with_key(&app, "k", &format!("{}?dry_run=true", path()), &body("x")).await;
    answer.problem(400, "invalid-request");
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn reruns_retries_and_cancellations_repeat_their_answers() {
    let app = TestApp::start().await;
    let (running, failed) = running_and_failed_run(&app).await;
    for (path, status) in [
        (format!("/jobs/{}/rerun", acme::NIGHTLY_JOB_ID), 201),
        (format!("/runs/{failed}/retry"), 201),
        (format!("/runs/{running}/cancel"), 202),
    ] {
        let first = with_key(&app, &path, &path, &json!(null)).await.expect(status);
        app.dbt.clear_requests();
        let repeat = with_key(&app, &path, &path, &json!(null)).await;
        assert_eq!(repeat.expect(status)["id"], first["id"], "{path}");
        assert_eq!(repeat.header("idempotency-replayed"), Some("true"), "{path}");
        assert!(app.dbt.requests().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_job_whose_creation_is_unknown_is_never_created_twice() {
    let app = TestApp::start().await;
    let admin = app.caller(model::Role::Admin);
    let job =
        json!({"name": "once", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID});
    let create = async |key: &str| {
        let request = admin.request(Method::POST, "/jobs").header("idempotency-key", key);
        admin.send(request.json(&job)).await
    };
    let first = create("made").await;
    let repeat = create("made").await;
    assert_eq!(repeat.expect(201), first.expect(201));
    assert_eq!(repeat.header("location"), first.header("location"));
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    create("lost").await.problem(502, "dbt-unavailable");
    create("lost").await.problem(409, "idempotency-unresolved");
    assert_eq!(app.dbt.requests_to("POST", "/").len(), 2);
}

#[tokio::test]
async fn a_key_expires() {
    let mut setup = Setup::default();
    setup.trigger.key_ttl = Duration::ZERO;
    let app = setup.start().await;
    let first = with_key(&app, "k", &path(), &body("x")).await.expect(201);
    let second = with_key(&app, "k", &path(), &body("y")).await.expect(201);
    assert_ne!(first["id"], second["id"]);
}
