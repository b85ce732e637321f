//! Cancelling, retrying and running again, end to end; and a run that dbt Cloud does not show yet.

use std::time::Duration;

use provider::NewRunSettings;
use reqwest::header::{LOCATION, RETRY_AFTER};
use serde_json::{Value, json};
use simulator::{CancelFinishedRun, Fault, RefusedRetry, acme};

use crate::support::{FOREVER, Setup, TestApp};

async fn start(app: &TestApp, job: i64) -> i64 {
    let path = format!("/jobs/{job}/runs");
    let run = app
        .operator()
        .post(&path, &json!({"cause": "a test"}))
        .await
        .expect(201);
    run["id"].as_i64().unwrap()
}

/// A run of the job that fails, just over.
async fn failed(app: &TestApp) -> i64 {
    let run = start(app, acme::FAILING_JOB_ID).await;
    app.dbt.advance(Duration::from_mins(2));
    run
}

fn whys(row: &Value) -> Vec<&str> {
    let exchanges = row["exchanges"].as_array().unwrap();
    exchanges.iter().map(|each| each["why"].as_str().unwrap()).collect()
}

/// How many changes dbt Cloud has seen.
fn posts(app: &TestApp) -> usize {
    app.dbt.requests_to("POST", "/").len()
}

#[tokio::test]
async fn a_run_is_cancelled_as_often_as_one_likes() {
    let app = TestApp::start().await;
    let run = start(&app, acme::SLOW_JOB_ID).await;
    app.dbt.advance(Duration::from_mins(1));
    let path = format!("/runs/{run}/cancel");
    let first = app.operator().post(&path, &json!(null)).await;
    let answered = first.expect(202);
    assert_eq!(
        (&answered["id"], &answered["status"]),
        (&json!(run), &json!(3)),
        "it goes on for a moment"
    );
    let row = app.row_of(&first).await;
    assert_eq!(
        (whys(&row), &row["run_id"]),
        (vec!["before_change", "asked"], &json!(run))
    );

    assert_eq!(app.operator().post(&path, &json!(null)).await.expect(202)["status"], 3);
    app.dbt.advance(Duration::from_mins(1));
    let before = posts(&app);
    assert_eq!(app.operator().post(&path, &json!(null)).await.expect(202)["status"], 30);
    assert_eq!(posts(&app), before, "there was nothing to cancel any more");
}

#[tokio::test]
async fn a_run_that_is_over_cannot_be_cancelled_whatever_dbt_would_say() {
    for behaviour in [CancelFinishedRun::Unchanged, CancelFinishedRun::Refuse] {
        let app = TestApp::start().await;
        app.dbt
            .change_switches(|switches| switches.cancel_finished_run = behaviour);
        for (run, word) in [(acme::SUCCEEDED_RUN_ID, "success"), (acme::FAILED_RUN_ID, "error")] {
            let answer = app.operator().post(&format!("/runs/{run}/cancel"), &json!(null)).await;
            let problem = answer.problem(409, "run-finished");
            let said = format!("Run {run} is over ({word}), so there is nothing to cancel.");
            assert_eq!(problem["detail"], said);
            assert_eq!(app.row_of(&answer).await["outcome"], "conflict");
        }
        assert_eq!(posts(&app), 0);
    }
}

#[tokio::test]
async fn a_retry_is_previewed_then_starts_where_the_run_failed() {
    let app = TestApp::start().await;
    let run = failed(&app).await;
    let path = format!("/runs/{run}/retry");
    let preview = app.viewer().get(&path).await.expect(200);
    assert_eq!((&preview["can_retry"], &preview["run_id"]), (&json!(true), &json!(run)));
    assert!(preview["failed_step"].as_str().unwrap().contains('`'), "{preview:#}");
    assert_eq!(preview["skipped_steps"].as_array().unwrap().len(), 1, "{preview:#}");

    let answer = app
        .operator()
        .post(&format!("{path}?account_id={}", acme::ACCOUNT_ID), &json!(null))
        .await;
    let new = answer.expect(201);
    assert_eq!((&new["retrying_run_id"], &new["status"]), (&json!(run), &json!(1)));
    let location = format!("/runs/{}?account_id={}", new["id"], acme::ACCOUNT_ID);
    assert_eq!(answer.header(LOCATION), Some(location.as_str()));
    assert_eq!(app.viewer().get(&location).await.expect(200)["id"], new["id"]);
    let row = app.row_of(&answer).await;
    assert_eq!((&row["run_id"], &row["args"]["run_id"]), (&new["id"], &json!(run)));

    let preview = app.viewer().get(&path).await.expect(200);
    assert_eq!(preview["retry_not_supported_reason"], "RETRY_NOT_LATEST_RUN");
    let problem = app
        .operator()
        .post(&path, &json!(null))
        .await
        .problem(409, "cannot-retry");
    let said = format!("dbt Cloud cannot retry run {run}: a later run of the job exists. Nothing was started.");
    assert_eq!(problem["detail"], said);
    assert_eq!(problem["errors"]["retry_not_supported_reason"], "RETRY_NOT_LATEST_RUN");
}

#[tokio::test]
async fn a_retry_that_dbt_refuses_or_ignores_is_told_as_such() {
    for behaviour in [RefusedRetry::BadRequest, RefusedRetry::Unchanged] {
        let app = TestApp::start().await;
        app.dbt.change_switches(|switches| switches.refused_retry = behaviour);
        let run = failed(&app).await;
        // What the run says of itself is not known, as from a dbt Cloud that does not say it.
        let said = json!({"data": {"id": run, "status": 20}});
        let body = simulator::FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: said.to_string(),
        };
        let path = format!("/runs/{run}/retry");
        app.operator().post(&path, &json!(null)).await.expect(201);
        app.dbt.add_fault(Fault::on("GET", "/api/").answer(200, body));
        let answer = app.operator().post(&path, &json!(null)).await;
        let problem = answer.problem(409, "cannot-retry");
        assert_eq!(problem["errors"]["retry_not_supported_reason"], "RETRY_NOT_LATEST_RUN");
        assert_eq!(whys(&app.row_of(&answer).await), ["before_change", "asked"]);
    }
}

#[tokio::test]
async fn a_job_is_run_again_from_its_failure_or_as_a_whole() {
    let app = TestApp::start().await;
    let run = failed(&app).await;
    let path = format!("/jobs/{}/rerun", acme::FAILING_JOB_ID);
    let answer = app.operator().post(&path, &json!(null)).await;
    let new = answer.expect(201);
    assert_eq!(new["retrying_run_id"], run);
    assert_eq!(answer.header(LOCATION), Some(format!("/runs/{}", new["id"]).as_str()));
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["run_id"], &row["job_id"]),
        (&new["id"], &json!(acme::FAILING_JOB_ID))
    );

    let path = format!("/jobs/{}/rerun", acme::NIGHTLY_JOB_ID);
    let whole = app.operator().post(&path, &json!(null)).await.expect(201);
    assert_eq!((&whole["retrying_run_id"], &whole["status"]), (&Value::Null, &json!(1)));
    app.operator()
        .post("/jobs/1/rerun", &json!(null))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_run_that_dbt_does_not_show_yet_is_waited_for() {
    let app = Setup {
        new_runs: NewRunSettings {
            young: Duration::from_mins(1),
            wait: FOREVER,
            pause: Duration::from_millis(1),
        },
        ..Setup::default()
    }
    .start()
    .await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 10);
    let run = start(&app, acme::NIGHTLY_JOB_ID).await;
    let (viewer, path) = (app.viewer(), format!("/runs/{run}"));
    let shown = async {
        while app.dbt.requests_to("GET", "/").len() < 3 {
            tokio::task::yield_now().await;
        }
        app.dbt.advance(Duration::from_secs(10));
    };
    let (answer, ()) = tokio::join!(viewer.get(&path), shown);
    assert_eq!(answer.expect(200)["id"], run);
    let row = app.row_of(&answer).await;
    let whys = whys(&row);
    assert_eq!((whys[0], whys[1]), ("asked", "not_visible_yet"));
    assert_eq!(
        (&row["outcome"], &row["status_code"]),
        (&json!("succeeded"), &json!(200))
    );
}

#[tokio::test]
async fn a_run_that_stays_hidden_is_a_404_that_says_when_to_come_back() {
    let app = TestApp::start().await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 1000);
    let triggered = start(&app, acme::NIGHTLY_JOB_ID).await;
    let rerun = format!("/jobs/{}/rerun", acme::NIGHTLY_JOB_ID);
    let rerun = app.operator().post(&rerun, &json!(null)).await.expect(201)["id"]
        .as_i64()
        .unwrap();
    for run in [triggered, rerun] {
        for path in [format!("/runs/{run}"), format!("/runs/{run}/retry")] {
            let answer = app.viewer().get(&path).await;
            answer.problem(404, "run-not-visible-yet");
            assert_eq!(answer.header(RETRY_AFTER), Some("2"));
            assert_eq!(app.row_of(&answer).await["outcome"], "not_found");
        }
        let cancel = app.operator().post(&format!("/runs/{run}/cancel"), &json!(null)).await;
        cancel.problem(404, "run-not-visible-yet");
    }
    app.clock.advance(chrono::TimeDelta::seconds(61));
    app.viewer()
        .get(&format!("/runs/{triggered}"))
        .await
        .problem(404, "not-found");
    app.viewer().get("/runs/4711").await.problem(404, "not-found");
}
