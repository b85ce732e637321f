//! Retrying a run, and rerunning a job.

use std::time::Duration;

use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{Fault, RefusedRetry, acme};

use super::{reasons, start};
use crate::support::TestApp;

/// A finished run of the failing job.
async fn failed(app: &TestApp) -> i64 {
    let run = start(app, acme::FAILING_JOB_ID).await;
    app.dbt.advance(Duration::from_mins(2));
    run
}

#[tokio::test]
async fn a_retry_has_a_preview_and_starts_at_the_failed_step() {
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
    let detail = format!("dbt Cloud cannot retry run {run}: a later run of the job exists. Nothing was started.");
    assert_eq!(problem["detail"], detail);
    assert_eq!(problem["errors"]["retry_not_supported_reason"], "RETRY_NOT_LATEST_RUN");
}

#[tokio::test]
async fn a_retry_that_dbt_refuses_or_ignores_is_a_conflict() {
    for behaviour in [RefusedRetry::BadRequest, RefusedRetry::Unchanged] {
        let app = TestApp::start().await;
        app.dbt.change_switches(|switches| switches.refused_retry = behaviour);
        let run = failed(&app).await;
        // The run lacks `can_retry`, as from an older dbt Cloud.
        let run_without_can_retry = json!({"data": {"id": run, "status": 20}});
        let body = simulator::FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: run_without_can_retry.to_string(),
        };
        let path = format!("/runs/{run}/retry");
        app.operator().post(&path, &json!(null)).await.expect(201);
        app.dbt.add_fault(Fault::on("GET", "/api/").answer(200, body));
        let answer = app.operator().post(&path, &json!(null)).await;
        let problem = answer.problem(409, "cannot-retry");
        assert_eq!(problem["errors"]["retry_not_supported_reason"], "RETRY_NOT_LATEST_RUN");
        assert_eq!(reasons(&app.row_of(&answer).await), ["before_change", "asked"]);
    }
}

#[tokio::test]
async fn a_rerun_of_a_job_starts_at_the_failed_step_or_from_the_beginning() {
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
    let rerun = app.operator().post(&path, &json!(null)).await.expect(201);
    assert_eq!((&rerun["retrying_run_id"], &rerun["status"]), (&Value::Null, &json!(1)));
    app.operator()
        .post("/jobs/1/rerun", &json!(null))
        .await
        .problem(404, "not-found");
}
