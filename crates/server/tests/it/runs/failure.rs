//! The failure report of a run: each kind of failure, and parts that dbt Cloud does not have.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Effect, Fault, FaultBody, acme};

use crate::support::{Setup, TestApp};

fn failure_of(run: i64) -> String {
    format!("/runs/{run}/failure")
}

/// Triggers a run of the job, then advances the simulator by `elapsed`.
async fn run_of(app: &TestApp, job: i64, body: Value, elapsed: Duration) -> i64 {
    let path = format!("/jobs/{job}/runs");
    let run = app.operator().post(&path, &body).await.expect(201);
    app.dbt.advance(elapsed);
    run["id"].as_i64().unwrap()
}

fn file(body: &impl ToString) -> FaultBody {
    FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: body.to_string(),
    }
}

/// Makes dbt Cloud answer so for every artifact.
fn artifacts_answer(app: &TestApp, status: u16, body: FaultBody) {
    let fault = Fault::on("GET", "/api/v2/").containing("/artifacts/");
    app.dbt.add_fault(fault.answer(status, body));
}

/// Path and query below the account of the last request to dbt Cloud.
fn last_target(app: &TestApp) -> String {
    let target = app.dbt.requests().last().unwrap().target.clone();
    let account = format!("/api/v2/accounts/{}", acme::ACCOUNT_ID);
    target.strip_prefix(&account).unwrap().to_owned()
}

#[tokio::test]
async fn a_failed_build_is_reported_with_its_step_nodes_and_log_tail() {
    let app = TestApp::start().await;
    let answer = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await;
    let failure = answer.expect(200);
    assert_eq!(
        (&failure["verdict"], &failure["status"]),
        (&json!("failed"), &json!(20))
    );
    assert_eq!(failure["run_id"], acme::FAILED_RUN_ID);
    assert_eq!(failure["job_id"], acme::FAILING_JOB_ID);
    let href = failure["href"].as_str().unwrap();
    assert!(href.ends_with(&format!("/runs/{}/", acme::FAILED_RUN_ID)), "{href}");
    assert_eq!(
        (&failure["step"]["index"], &failure["step"]["command"]),
        (&json!(4), &json!("dbt build --select marts"))
    );
    assert_eq!(
        failure["skipped_steps"],
        json!(["Invoke dbt with `dbt test --select marts`"])
    );
    let results = &failure["results"];
    assert_eq!(
        (
            &results["artifact"],
            &results["count"],
            &results["failed_count"],
            &results["skipped_count"]
        ),
        (&json!("run_results.json"), &json!(13), &json!(1), &json!(1))
    );
    let failed = &results["failed"][0];
    assert_eq!(
        failed["unique_id"],
        "test.acme_shop.not_null_stg_customers_email.d7cf761533"
    );
    assert_eq!((&failed["status"], &failed["failures"]), (&json!("fail"), &json!(1)));
    assert_eq!(
        failed["message"],
        json!({"text": "Got 1 result, configured to fail if != 0", "is_cut": false})
    );
    let log = failure["log_tail"]["text"].as_str().unwrap();
    assert!(log.lines().last().unwrap().contains("Done. PASS="), "{log}");
    assert_eq!(failure["not_available"], json!([]));

    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["request_type"], &row["outcome"], &row["attempts"], &row["run_id"]),
        (
            &json!("get_run_failure"),
            &json!("succeeded"),
            &json!(2),
            &json!(acme::FAILED_RUN_ID)
        )
    );
    let run = acme::FAILED_RUN_ID;
    assert_eq!(
        last_target(&app),
        format!("/runs/{run}/artifacts/run_results.json?step=4")
    );
}

#[tokio::test]
async fn a_run_that_fails_before_its_build_has_a_log_and_no_results() {
    let app = TestApp::start().await;
    let run = run_of(&app, acme::BROKEN_JOB_ID, json!({"cause": "x"}), Duration::from_mins(5)).await;
    let answer = app.viewer().get(&failure_of(run)).await;
    let failure = answer.expect(200);
    assert_eq!(
        (&failure["verdict"], &failure["step"]["index"]),
        (&json!("failed"), &json!(3))
    );
    assert_eq!(failure["results"], Value::Null);
    assert_eq!(
        failure["not_available"],
        json!([{"what": "results", "why": "`dbt deps` leaves no results."}])
    );
    assert!(
        failure["log_tail"]["text"]
            .as_str()
            .unwrap()
            .contains("package registry")
    );
    assert_eq!(app.row_of(&answer).await["attempts"], 1);
}

#[tokio::test]
async fn a_failed_freshness_check_is_reported_from_sources_json() {
    let app = TestApp::start().await;
    let body = json!({"cause": "x", "steps_override": ["dbt --no-use-colors source freshness", "dbt build"]});
    let run = run_of(&app, acme::FAILING_JOB_ID, body, Duration::from_mins(5)).await;
    artifacts_answer(
        &app,
        200,
        file(&json!({"results": [
            {"unique_id": "source.shop.raw.orders", "status": "error", "max_loaded_at": "2025-03-11T19:55:00+00:00",
                "max_loaded_at_time_ago_in_s": 90000.2, "criteria": {"error_after": {"count": 24, "period": "hour"}}},
            {"unique_id": "source.shop.raw.customers", "status": "runtime error", "error": "no such table"},
            {"unique_id": "source.shop.raw.stores", "status": "warn"},
        ]})),
    );
    let failure = app.viewer().get(&failure_of(run)).await.expect(200);
    assert_eq!(last_target(&app), format!("/runs/{run}/artifacts/sources.json?step=4"));
    let results = &failure["results"];
    assert_eq!(
        (&results["artifact"], &results["failed_count"]),
        (&json!("sources.json"), &json!(2))
    );
    assert_eq!(results["failed"][1]["message"]["text"], "no such table");
    let stale = results["failed"][0]["message"]["text"].as_str().unwrap();
    assert!(
        stale.contains("90000 seconds before the check; more than 24 hour(s)"),
        "{stale}"
    );
}

#[tokio::test]
async fn a_run_that_did_not_fail_is_reported_with_one_call() {
    let app = TestApp::start().await;
    let running = run_of(&app, acme::SLOW_JOB_ID, json!({"cause": "x"}), Duration::from_mins(1)).await;
    for (run, verdict, missing) in [
        (acme::SUCCEEDED_RUN_ID, "succeeded", json!([])),
        (
            running,
            "unfinished",
            json!([{"what": "step", "why": "The run has not ended."}]),
        ),
        (
            acme::CANCELLED_RUN_ID,
            "cancelled",
            json!([{"what": "step", "why": "The run was cancelled before its first step began."}]),
        ),
    ] {
        let answer = app.viewer().get(&failure_of(run)).await;
        let failure = answer.expect(200);
        assert_eq!(
            (&failure["verdict"], &failure["not_available"]),
            (&json!(verdict), &missing)
        );
        for field in ["step", "results", "log_tail"] {
            assert_eq!(failure[field], Value::Null, "{verdict}: {field}");
        }
        assert_eq!(app.row_of(&answer).await["attempts"], 1);
    }
    let (status, humanized) = (42, "Hibernating".to_owned());
    app.dbt
        .add_fault(Fault::everywhere().effect(Effect::RunStatus { status, humanized }));
    let failure = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await.expect(200);
    assert_eq!(
        (&failure["verdict"], &failure["status"]),
        (&json!("unfinished"), &json!(42))
    );
}

#[tokio::test]
async fn a_run_cancelled_while_running_names_the_interrupted_step() {
    let app = TestApp::start().await;
    let run = run_of(&app, acme::SLOW_JOB_ID, json!({"cause": "x"}), Duration::from_mins(5)).await;
    let cancelled = app.operator().post(&format!("/runs/{run}/cancel"), &json!(null)).await;
    cancelled.expect(202);
    app.dbt.advance(Duration::from_mins(5));
    let failure = app.viewer().get(&failure_of(run)).await.expect(200);
    assert_eq!(
        (&failure["verdict"], &failure["step"]["index"]),
        (&json!("cancelled"), &json!(4))
    );
    let why = failure["not_available"].as_array().unwrap();
    assert_eq!(
        why[0]["why"],
        "dbt Cloud has no `run_results.json` of the step, which was cancelled."
    );
    assert_eq!((why.len(), &why[1]["what"]), (2, &json!("log")));
}

#[tokio::test]
async fn a_log_that_is_not_available_yet_is_no_error() {
    let app = TestApp::start().await;
    app.dbt.change_switches(|switches| switches.step_log_lag_secs = 100_000);
    let failure = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await.expect(200);
    assert_eq!(
        (&failure["log_tail"], &failure["not_available"][0]["what"]),
        (&Value::Null, &json!("log"))
    );
    assert_eq!(failure["results"]["failed_count"], 1);
    app.dbt.advance(Duration::from_secs(100_000));
    let failure = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await.expect(200);
    assert_eq!(failure["not_available"], json!([]));
}

#[rstest]
#[case::none(404, FaultBody::Envelope, "dbt Cloud has no `run_results.json` of the step.")]
#[case::html(200, FaultBody::Html, "The step's `run_results.json` cannot be read.")]
#[case::cut(200, FaultBody::Malformed, "The step's `run_results.json` cannot be read.")]
#[case::empty(200, FaultBody::Empty, "The step's `run_results.json` cannot be read.")]
#[case::another_file(200, file(&json!({"nodes": {}})), "The step's `run_results.json` cannot be read.")]
#[case::of_an_earlier_step(
    200,
    file(&json!({"metadata": {"generated_at": "2020-01-01T00:00:00Z"}, "results": []})),
    "dbt Cloud has only the `run_results.json` of an earlier step."
)]
#[case::too_large(
    200,
    file(&"x".repeat(70_000)),
    "The step's `run_results.json` is too large: over 65536 bytes (upstream.max_body_bytes)."
)]
#[tokio::test]
async fn unavailable_results_are_no_error(#[case] status: u16, #[case] body: FaultBody, #[case] why: &str) {
    let mut setup = Setup::default();
    setup.http.max_body_bytes = 65_536;
    let app = setup.start().await;
    artifacts_answer(&app, status, body);
    let answer = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await;
    let failure = answer.expect(200);
    assert_eq!(failure["not_available"], json!([{"what": "results", "why": why}]));
    assert_eq!(
        (&failure["results"], &failure["step"]["index"]),
        (&Value::Null, &json!(4))
    );
    assert!(failure["log_tail"]["text"].is_string());
    assert_eq!(app.row_of(&answer).await["outcome"], "succeeded");
}

#[rstest]
#[case(401, 502, "dbt-credentials-refused", 2)]
#[case(429, 429, "rate-limit", 2)]
#[case(503, 502, "dbt-unavailable", 4)]
#[tokio::test]
async fn any_other_failure_to_read_the_results_is_an_error(
    #[case] dbt: u16,
    #[case] status: u16,
    #[case] kind: &str,
    #[case] attempts: u64,
) {
    let app = TestApp::start().await;
    artifacts_answer(&app, dbt, FaultBody::Envelope);
    let answer = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await;
    answer.problem(status, kind);
    assert_eq!(app.row_of(&answer).await["attempts"], attempts);
}

#[tokio::test]
async fn an_unknown_run_is_not_found_and_a_hidden_run_is_not_visible_yet() {
    let app = TestApp::start().await;
    app.viewer().get(&failure_of(4711)).await.problem(404, "not-found");
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 1000);
    let run = run_of(&app, acme::NIGHTLY_JOB_ID, json!({"cause": "x"}), Duration::ZERO).await;
    for path in [
        failure_of(run),
        format!("/runs/{run}/steps"),
        format!("/runs/{run}/artifacts?step=results"),
    ] {
        app.viewer().get(&path).await.problem(404, "run-not-visible-yet");
    }
}

#[tokio::test]
async fn all_failed_nodes_are_counted_and_the_first_are_listed_with_cut_messages() {
    let mut setup = Setup::default();
    setup.run_failure.max_nodes = 2;
    setup.run_failure.message_max_bytes = 12;
    setup.run_failure.log_tail_bytes = 256;
    let app = setup.start().await;
    let node = |number: usize| {
        let message = format!("\u{1b}[31mError {number}\u{1b}[0m äöü and more");
        json!({"unique_id": format!("model.shop.m{number}"), "status": "error", "message": message})
    };
    let nodes: Vec<_> = (1..=1000).map(node).collect();
    artifacts_answer(&app, 200, file(&json!({ "results": nodes })));
    let failure = app.viewer().get(&failure_of(acme::FAILED_RUN_ID)).await.expect(200);
    let results = &failure["results"];
    assert_eq!(
        (&results["count"], &results["failed_count"]),
        (&json!(1000), &json!(1000))
    );
    let failed: Vec<_> = results["failed"].as_array().unwrap().iter().collect();
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[1]["message"], json!({"text": "Error 2 äö", "is_cut": true}));
    let log = &failure["log_tail"];
    let text = log["text"].as_str().unwrap();
    assert!(text.len() <= 256 && log["is_cut"] == true, "{log}");
    assert!(
        text.starts_with(|first: char| first.is_ascii_digit()),
        "starts at a line: {text}"
    );
}
