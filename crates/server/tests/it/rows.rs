//! The request log: one row for every request, with the request id of its answer.

use std::collections::BTreeSet;
use std::time::Duration;

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Fault, acme, globex};

use crate::support::{Setup, TestApp, eventually};

fn trigger() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

#[tokio::test]
async fn every_authenticated_request_has_exactly_one_closed_row() {
    let app = TestApp::start().await;
    let run = format!("/runs/{}", acme::SUCCEEDED_RUN_ID);
    let body = json!({"cause": "x"});
    let answers = [
        ("list_projects", "succeeded", app.viewer().get("/projects").await),
        (
            "list_projects",
            "succeeded",
            app.viewer().get("/projects?name=unknown").await,
        ),
        (
            "get_project",
            "succeeded",
            app.viewer().get(&format!("/projects/{}", acme::PROJECT_ID)).await,
        ),
        ("get_project", "not_found", app.viewer().get("/projects/4711").await),
        ("get_run", "succeeded", app.viewer().get(&run).await),
        (
            "get_run",
            "refused",
            app.viewer()
                .get(&format!("{run}?account_id={}", globex::ACCOUNT_ID))
                .await,
        ),
        ("trigger_job", "succeeded", app.operator().post(&trigger(), &body).await),
        (
            "trigger_job",
            "not_found",
            app.operator().post("/jobs/4711/runs", &body).await,
        ),
        ("trigger_job", "refused", app.viewer().post(&trigger(), &body).await),
    ];
    let rows = app.rows().await;
    assert_eq!(rows.len(), answers.len());
    let ids: BTreeSet<_> = rows.iter().map(|row| row["request_uuid"].to_string()).collect();
    assert_eq!(ids.len(), answers.len());
    for (request_type, outcome, answer) in &answers {
        let row = app.row_of(answer).await;
        assert_eq!(
            (&row["request_type"], &row["outcome"]),
            (&json!(request_type), &json!(outcome)),
            "{row:#}"
        );
        assert!(row["finished_at"].is_string() && row["duration_ms"].is_f64(), "{row:#}");
        let attempts = i32::from(*outcome != "refused");
        assert_eq!(row["attempts"], attempts, "{row:#}");
        let status = if *outcome == "refused" {
            Value::Null
        } else {
            json!(if *outcome == "not_found" { 404 } else { 200 })
        };
        assert_eq!(row["status_code"], status, "the status of dbt Cloud: {row:#}");
    }
}

#[tokio::test]
async fn a_row_has_caller_arguments_credential_and_outcome() {
    let app = TestApp::start().await;
    let body = json!({"cause": "for the record", "threads_override": 4});
    let request = app.operator().request(Method::POST, &trigger()).json(&body);
    let answer = app.operator().send(request.header("x-request-id", "order 4711")).await;
    let run = answer.expect(201);
    let mut row = app.row_of(&answer).await;
    assert_eq!(row["run_id"], run["id"]);
    assert_eq!(row["exchanges"].as_array().unwrap().len(), 1);
    for (pointer, placeholder) in [
        ("/request_uuid", "[uuid]"),
        ("/run_id", "[run]"),
        ("/duration_ms", "[ms]"),
        ("/exchanges/0/duration_ms", "[ms]"),
    ] {
        *row.pointer_mut(pointer).unwrap() = json!(placeholder);
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    settings.bind(|| insta::assert_json_snapshot!("row_of_a_trigger", row));
}

#[tokio::test]
async fn requests_refused_before_the_client_have_a_request_id_but_no_row() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let answers = [
        app.without_key().get("/projects").await,
        app.with_key("dgw_wrong").get("/projects").await,
        app.viewer().get("/projects?page=0").await,
        app.viewer().get("/projects?nonsense=1").await,
        app.viewer().get("/runs/x").await,
        operator.post(&trigger(), &json!({})).await,
        operator.post_text(&trigger(), "text/plain", "x").await,
        app.viewer().get("/nothing").await,
        app.viewer().send(app.viewer().request(Method::PUT, "/projects")).await,
        app.viewer().get("/").await,
        app.viewer().get("/healthz").await,
        app.viewer().get("/openapi.json").await,
        app.viewer().get("/docs/").await,
        app.viewer().get("/docs").await,
    ];
    let ids: BTreeSet<_> = answers.iter().map(crate::support::Answer::request_uuid).collect();
    assert_eq!(ids.len(), answers.len());
    assert_eq!(app.rows().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_request_id_of_the_caller_is_stored_but_not_used_as_the_request_id() {
    let app = TestApp::start().await;
    let with_id = async |id: &str| {
        let request = app.viewer().request(Method::GET, "/projects");
        let answer = app.viewer().send(request.header("x-request-id", id)).await;
        let row = app.row_of(&answer).await;
        assert_ne!(answer.request_uuid(), id);
        row["caller_request_id"].clone()
    };
    let longest = "y".repeat(128);
    for kept in [
        "order 4711",
        "0198d6f0-7a6b-7e1c-9b58-2f1e5d3c4b5a",
        "'; DROP TABLE x",
        &longest,
    ] {
        assert_eq!(with_id(kept).await, kept);
    }
    assert_eq!(with_id("").await, Value::Null);
    assert_eq!(with_id(&"y".repeat(129)).await, Value::Null);
    assert_eq!(with_id("tab\there").await, Value::Null);

    let request = app.without_key().request(Method::GET, "/projects");
    let refused = app
        .without_key()
        .send(request.header("x-request-id", "order 4711"))
        .await;
    assert_ne!(refused.request_uuid(), "order 4711", "also without a row");
}

#[tokio::test]
async fn without_the_log_reads_fail_and_changes_are_not_sent() {
    let app = Setup {
        log_wait: Duration::from_millis(100),
        ..Setup::default()
    }
    .start()
    .await;
    // Keys can be read; rows cannot be written.
    let mut lock = app.database.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();

    let change = app.operator().post(&trigger(), &json!({"cause": "x"})).await;
    let read = app.viewer().get("/projects").await;
    let refusal = app.viewer().post(&trigger(), &json!({"cause": "x"})).await;
    for answer in [&change, &read, &refusal] {
        let problem = answer.problem(503, "log-unavailable");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("A change was not sent to dbt Cloud."),
            "{problem:#}"
        );
        assert_eq!(answer.header(reqwest::header::RETRY_AFTER), Some("2"));
    }
    assert!(app.dbt.requests_to("POST", "/").is_empty(), "no row, no trigger");

    lock.rollback().await.unwrap();
    let outcome_of = async |answer: &crate::support::Answer| {
        let row = app.closed_row(&answer.request_uuid()).await;
        (row["outcome"].clone(), row["attempts"].clone())
    };
    assert_eq!(outcome_of(&change).await, (json!("refused"), json!(0)));
    assert_eq!(outcome_of(&refusal).await, (json!("refused"), json!(0)));
    assert_eq!(outcome_of(&read).await, (json!("succeeded"), json!(1)));
}

#[tokio::test]
async fn a_change_without_room_in_the_log_queue_is_refused_and_a_read_with_room_is_served() {
    let app = Setup {
        queue_capacity: 3,
        ..Setup::default()
    }
    .start()
    .await;
    let delay = app.dbt.add_fault(Fault::on("POST", "/").delay_before_ms(600_000));
    let request = app.operator().request(Method::POST, &trigger());
    let _in_flight = tokio::spawn(request.json(&json!({"cause": "x"})).send());
    app.dbt_received(1, "POST").await;
    assert!(app.dbt.remove_fault(delay), "only the first request is delayed");

    // Its close is reserved: the company has room for a read, but not for a change.
    let refused = app.operator().post(&trigger(), &json!({"cause": "y"})).await;
    let problem = refused.problem(503, "share-exhausted");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("dbt Cloud was not contacted"),
        "{problem:#}"
    );
    assert_eq!(refused.header(reqwest::header::RETRY_AFTER), Some("1"));
    assert_eq!(app.dbt.requests_to("POST", "/").len(), 1);
    assert_eq!(app.viewer().get("/projects").await.status, 200);
}

#[tokio::test]
async fn a_read_stops_when_its_caller_disconnects_and_a_trigger_does_not() {
    let app = TestApp::start().await;
    let base = format!("/api/v3/accounts/{}/projects/", acme::ACCOUNT_ID);
    let job = format!("/api/v2/accounts/{}/jobs/", acme::ACCOUNT_ID);
    let read = app.dbt.add_fault(Fault::on("GET", &base).delay_before_ms(600_000));
    let send_and_disconnect = async |request: reqwest::RequestBuilder, method: &str| {
        let sent = tokio::spawn(request.send());
        app.dbt_received(1, method).await;
        sent.abort();
        assert!(sent.await.unwrap_err().is_cancelled());
    };
    send_and_disconnect(app.viewer().request(Method::GET, "/projects"), "GET").await;
    let outcome = async |request_type: &str| {
        let row = eventually(async || {
            let rows = app.rows().await;
            rows.into_iter()
                .find(|row| row["request_type"] == request_type && !row["outcome"].is_null())
        });
        row.await["outcome"].clone()
    };
    assert_eq!(outcome("list_projects").await, "caller_gone");
    assert!(app.dbt.remove_fault(read));

    // The answer is delayed until its caller has disconnected.
    app.dbt.add_fault(Fault::on("POST", &job).delay_before_ms(300));
    let operator = app.caller(Role::Operator);
    send_and_disconnect(
        operator.request(Method::POST, &trigger()).json(&json!({"cause": "x"})),
        "POST",
    )
    .await;
    assert_eq!(outcome("trigger_job").await, "succeeded");
    assert_eq!(app.dbt.requests_to("POST", &job).len(), 1);
}
