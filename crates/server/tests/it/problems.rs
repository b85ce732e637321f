//! Problem documents: one type per cause, with a helpful detail, whatever dbt Cloud answers.

use std::fmt::Write as _;
use std::time::Duration;

use dbt_api::HttpSettings;
use model::Role;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use simulator::{Effect, Fault, FaultBody, acme};
use tokio::net::TcpListener;

use crate::support::{Answer, Setup, TestApp};

const STATUSES: [u16; 13] = [302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504];

/// Bodies that dbt Cloud or a proxy may send with an error status.
fn bodies(status: u16) -> [(&'static str, FaultBody); 5] {
    let fields = json!({
        "status": {"code": status, "is_success": false, "user_message": "The request was invalid.", "developer_message": ""},
        "data": {"steps_override": "Expected a list of strings."},
    });
    let fields = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: fields.to_string(),
    };
    [
        ("vendor", FaultBody::Envelope),
        ("fields", fields),
        ("html", FaultBody::Html),
        ("empty", FaultBody::Empty),
        ("malformed", FaultBody::Malformed),
    ]
}

/// Status and problem type for a status of dbt, the outcome of the row, and how often a read is sent.
fn expected(status: u16) -> (u16, &'static str, &'static str, usize) {
    match status {
        400 => (400, "invalid-request", "invalid_request", 1),
        401 | 403 => (502, "dbt-credentials-refused", "credentials", 1),
        404 => (404, "not-found", "not_found", 1),
        422 => (422, "unprocessable-entity", "unprocessable_entity", 1),
        429 => (429, "rate-limit", "too_many_requests", 1),
        405 | 410 | 418 => (422, "dbt-refused", "unexpected_status", 1),
        409 => (409, "dbt-conflict", "conflict", 1),
        408 => (504, "dbt-timeout", "unexpected_status", 3),
        502..=504 => (502, "dbt-unavailable", "unexpected_status", 3),
        _ => (502, "dbt-unavailable", "unexpected_status", 1),
    }
}

async fn read(app: &TestApp) -> Answer {
    app.viewer().get(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await
}

async fn change(app: &TestApp) -> Answer {
    // Not a trigger, whose lost answer is resolved.
    let job = json!({"name": "x", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID});
    app.caller(Role::Admin).post("/jobs", &job).await
}

#[tokio::test]
async fn every_status_of_dbt_with_every_body_is_one_problem_and_one_row() {
    let app = TestApp::start().await;
    let mut details = String::new();
    for status in STATUSES {
        let (expected_status, kind, outcome, reads) = expected(status);
        for (body_kind, body) in bodies(status) {
            app.dbt.add_fault(Fault::everywhere().answer(status, body));
            let (read, change) = (read(&app).await, change(&app).await);
            app.dbt.clear_faults();
            assert_eq!(app.dbt.requests_to("GET", "/").len(), reads, "{status} {body_kind}");
            assert_eq!(app.dbt.requests_to("POST", "/").len(), 1, "{status} {body_kind}");
            app.dbt.clear_requests();
            for (answer, attempts) in [(&read, reads), (&change, 1)] {
                let problem = answer.problem(expected_status, kind);
                let row = app.row_of(answer).await;
                let recorded = (&row["outcome"], &row["status_code"], &row["attempts"]);
                assert_eq!(
                    recorded,
                    (&json!(outcome), &json!(status), &json!(attempts)),
                    "{body_kind}: {row:#}"
                );
                assert_fields(status, body_kind, &problem);
                let wait = (status == 429).then_some("300");
                assert_eq!(answer.header(RETRY_AFTER), wait, "{status} {body_kind}");
            }
            // The detail of a change may add what happened to it.
            let (read, change) = (read.detail(), change.detail());
            assert!(
                change.starts_with(&read) && !read.contains("change"),
                "{status} {body_kind}: {read}"
            );
            let _ = writeln!(details, "{status} {body_kind:9} {change}");
        }
    }
    insta::assert_snapshot!("details", details);
}

/// dbt's field errors are passed on if the request was invalid.
fn assert_fields(status: u16, body_kind: &str, problem: &Value) {
    let expected = match (status, body_kind) {
        (400 | 405 | 409 | 410 | 418 | 422, "fields") => json!({"steps_override": "Expected a list of strings."}),
        _ => Value::Null,
    };
    assert_eq!(problem["errors"], expected, "{status} {body_kind}");
}

#[tokio::test]
async fn errors_401_403_and_404_have_a_hint() {
    let app = TestApp::start().await;
    for (status, hint) in [
        (401, "token unknown at this host, check the access URL"),
        (403, "IP allow-list"),
        (404, "missing or no permission"),
    ] {
        for (body_kind, body) in bodies(status) {
            app.dbt.add_fault(Fault::everywhere().answer(status, body));
            for answer in [read(&app).await, change(&app).await] {
                let detail = answer.detail();
                assert!(detail.contains(hint), "{status} {body_kind}: {detail}");
            }
            app.dbt.clear_faults();
        }
    }
}

#[tokio::test]
async fn a_rate_limit_has_dbts_retry_after_or_its_documented_cooldown() {
    let app = TestApp::start().await;
    for (header, value, seconds) in [
        ("retry-after", "17", "17"),
        ("retry-after", "1.5", "2"),
        ("retry-after", "0", "0"),
        ("x-rate-limit-retry-after-seconds", "45", "45"),
        ("retry-after", "soon", "300"),
        ("x-other", "1", "300"),
    ] {
        app.dbt.add_fault(Fault::everywhere().status(429).header(header, value));
        for answer in [read(&app).await, change(&app).await] {
            answer.problem(429, "rate-limit");
            assert_eq!(answer.header(RETRY_AFTER), Some(seconds), "{header}: {value}");
        }
        app.dbt.clear_faults();
    }
}

#[tokio::test]
async fn a_retry_after_that_the_gateway_does_not_wait_for_is_passed_on() {
    let app = TestApp::start().await;
    app.dbt
        .add_fault(Fault::everywhere().status(503).header("retry-after", "40"));
    for answer in [read(&app).await, change(&app).await] {
        answer.problem(502, "dbt-unavailable");
        assert_eq!(answer.header(RETRY_AFTER), Some("40"));
        assert_eq!(app.row_of(&answer).await["attempts"], 1);
    }
}

#[tokio::test]
async fn field_errors_in_a_list_are_passed_on() {
    let app = TestApp::start().await;
    let errors = json!([{"status": "error", "status_code": 400, "key_name": "DBT_X", "reason": "too long"}]);
    let body = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: json!({"status": {"user_message": "Some failed."}, "data": errors}).to_string(),
    };
    app.dbt.add_fault(Fault::everywhere().answer(400, body));
    let problem = change(&app).await.problem(400, "invalid-request");
    assert_eq!(
        (&problem["errors"], &problem["detail"]),
        (&errors, &json!("dbt Cloud: Some failed."))
    );
}

#[tokio::test]
async fn a_refused_connection_to_dbt_is_a_bad_gateway() {
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let app = Setup {
        dbt_url: Some(format!("http://{address}").parse().unwrap()),
        ..Setup::default()
    }
    .start()
    .await;
    for (answer, attempts) in [(read(&app).await, 3), (change(&app).await, 1)] {
        let problem = answer.problem(502, "dbt-unavailable");
        assert_eq!(problem["detail"], "could not reach dbt Cloud.");
        assert!(
            !answer.text.contains(&address.to_string()),
            "the address of dbt Cloud is not shown"
        );
        let row = app.row_of(&answer).await;
        let recorded = (&row["outcome"], &row["status_code"], &row["attempts"]);
        assert_eq!(recorded, (&json!("connect"), &Value::Null, &json!(attempts)));
    }
}

#[tokio::test]
async fn an_interrupted_answer_of_dbt_is_a_bad_gateway() {
    let app = TestApp::start().await;
    let everywhere = Fault::everywhere;
    for (fault, outcome, reads) in [
        (everywhere().reset_before(), "disconnected", 3),
        (everywhere().reset_after(), "disconnected", 3),
        (
            everywhere().effect(Effect::Truncate { keep_bytes: Some(10) }),
            "disconnected",
            3,
        ),
        (everywhere().effect(Effect::MalformedJson), "decode", 1),
        (everywhere().answer(200, FaultBody::Html), "decode", 1),
        (everywhere().answer(200, FaultBody::Envelope), "decode", 1),
        (everywhere().answer(204, FaultBody::Empty), "decode", 1),
    ] {
        app.dbt.add_fault(fault.clone());
        for (answer, attempts) in [(read(&app).await, reads), (change(&app).await, 1)] {
            answer.problem(502, "dbt-unavailable");
            let row = app.row_of(&answer).await;
            assert_eq!(
                (&row["outcome"], &row["attempts"]),
                (&json!(outcome), &json!(attempts)),
                "{fault:?}: {row:#}"
            );
        }
        app.dbt.clear_faults();
    }
}

#[tokio::test]
async fn a_transient_failure_of_a_read_is_hidden_from_the_caller() {
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault::everywhere().once().reset_before());
    app.dbt
        .add_fault(Fault::everywhere().after(1).once().answer(502, FaultBody::Html));
    let answer = read(&app).await;
    answer.expect(200);
    let row = app.row_of(&answer).await;
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(3)));
    let exchanges = row["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| (&each["why"], &each["status"], &each["error"]));
    assert_eq!(
        exchanges.collect::<Vec<_>>(),
        [
            (&json!("asked"), &Value::Null, &json!("disconnected")),
            (&json!("retry"), &json!(502), &json!("unexpected_status")),
            (&json!("retry"), &json!(200), &Value::Null),
        ]
    );
}

#[tokio::test]
async fn a_timeout_of_dbt_is_a_gateway_timeout() {
    let second = Duration::from_secs(1);
    let http = Setup::default().http;
    let deadline = HttpSettings {
        deadline: second,
        ..http.clone()
    };
    let read_timeout = HttpSettings {
        read_timeout: second,
        ..http
    };
    for http in [deadline, read_timeout] {
        let setup = Setup {
            http,
            ..Setup::default()
        };
        let app = setup.start().await;
        app.dbt.add_fault(Fault::everywhere().delay_before_ms(600_000));
        let unknown = "dbt Cloud did not answer in time. What the change did is unknown: look before you repeat it.";
        for (answer, detail) in [
            (read(&app).await, "dbt Cloud did not answer in time."),
            (change(&app).await, unknown),
        ] {
            assert_eq!(answer.problem(504, "dbt-timeout")["detail"], detail);
            let row = app.row_of(&answer).await;
            let recorded = (&row["outcome"], &row["status_code"], &row["attempts"]);
            assert_eq!(
                recorded,
                (&json!("timeout"), &Value::Null, &json!(1)),
                "a timeout is not retried"
            );
        }
    }
}

#[tokio::test]
async fn a_list_is_complete_or_an_error() {
    let plan = simulator::AccountPlan::new(70_403_200_000_000, "Many")
        .token("dbtc_FAKE_many")
        .projects(500);
    let many = Setup {
        accounts: vec![(crate::support::COMPANY, plan.id(), "dbtc_FAKE_many".to_owned())],
        simulator: simulator::Config::frozen().with_seed(simulator::Seed::account(plan)),
        ..Setup::default()
    };
    let app = many.start().await;
    app.dbt.add_fault(Fault::everywhere().after(3).once().status(500));
    let answer = app.viewer().get("/projects").await;
    answer.problem(502, "dbt-unavailable");
    assert_eq!(app.row_of(&answer).await["outcome"], "unexpected_status");
    assert_eq!(app.viewer().get("/projects").await.ids().len(), 500);
}
