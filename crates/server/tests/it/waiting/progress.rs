//! How far a run is.

use std::time::Duration;

use chrono::TimeDelta;

use serde_json::{Value, json};
use simulator::acme;

use super::start_run;
use crate::support::TestApp;

#[tokio::test]
async fn the_progress_of_a_run_that_goes_on_has_its_step_and_an_estimate() {
    let app = TestApp::start().await;
    let run = start_run(&app).await;
    let progress = async || app.viewer().get(&format!("/runs/{run}/progress")).await;
    let queued = progress().await.expect(200);
    assert_eq!(
        (&queued["status"], &queued["started_at"]),
        (&json!("queued"), &Value::Null)
    );
    assert_eq!(
        (&queued["elapsed_secs"], &queued["estimated_end"]),
        (&Value::Null, &Value::Null)
    );
    app.dbt.advance(Duration::from_secs(10));
    app.clock.advance(TimeDelta::seconds(10));
    let answer = progress().await;
    let running = answer.expect(200);
    assert_eq!(
        (&running["status"], &running["is_complete"]),
        (&json!("running"), &json!(false))
    );
    assert!(
        running["steps_done"].as_u64() < running["steps_total"].as_u64(),
        "{running}"
    );
    assert!(running["current_step"]["name"].is_string(), "{running}");
    assert!(running["elapsed_secs"].as_f64().unwrap() > 0.0);
    let row = app.row_of(&answer).await;
    assert_eq!(row["attempts"], 2, "the run, and the job's last runs");
}

#[tokio::test]
async fn the_progress_of_a_run_that_ended_has_its_duration_and_no_estimate() {
    let app = TestApp::start().await;
    let path = format!("/runs/{}/progress", acme::SUCCEEDED_RUN_ID);
    let progress = app.viewer().get(&path).await.expect(200);
    assert_eq!(
        (&progress["is_complete"], &progress["current_step"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(progress["steps_done"], progress["steps_total"]);
    assert_eq!(progress["estimated_end"], Value::Null);
    let usual = &progress["usual"];
    assert!(usual["runs"].as_u64().unwrap() >= 1, "{progress}");
    assert!(usual["shortest_secs"].as_f64() <= usual["median_secs"].as_f64());
}

#[tokio::test]
async fn the_usual_duration_comes_from_watched_runs_where_there_are_enough() {
    let app = TestApp::start().await;
    let run = start_run(&app).await;
    sqlx::query(
        "INSERT INTO run_watch (company_id, host, account_id, run_id, credential, job_id, watched_until, ended_at, run_secs)
         SELECT 1, '127.0.0.1', $1, n, 'any', $2, clock_timestamp(), clock_timestamp(), 100 + n FROM generate_series(1, 30) n",
    )
    .bind(acme::ACCOUNT_ID)
    .bind(acme::SLOW_JOB_ID)
    .execute(app.database.pool())
    .await
    .unwrap();
    let answer = app.viewer().get(&format!("/runs/{run}/progress")).await;
    let usual = &answer.expect(200)["usual"];
    assert_eq!((&usual["runs"], &usual["median_secs"]), (&json!(20), &json!(120.5)));
    assert_eq!(app.row_of(&answer).await["attempts"], 1);
}
