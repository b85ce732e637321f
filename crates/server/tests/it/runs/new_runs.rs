//! A new run that dbt Cloud does not show yet.

use std::time::Duration;

use provider::NewRunSettings;
use reqwest::header::RETRY_AFTER;
use serde_json::json;
use simulator::acme;

use super::{reasons, start};
use crate::support::{FOREVER, Setup, TestApp};

#[tokio::test]
async fn a_run_that_dbt_does_not_show_yet_is_polled() {
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
    let show = async {
        app.dbt_received(3, "GET").await;
        app.dbt.advance(Duration::from_secs(10));
    };
    let (answer, ()) = tokio::join!(viewer.get(&path), show);
    assert_eq!(answer.expect(200)["id"], run);
    let row = app.row_of(&answer).await;
    let reasons = reasons(&row);
    assert_eq!((reasons[0], reasons[1]), ("asked", "not_visible_yet"));
    assert_eq!(
        (&row["outcome"], &row["status_code"]),
        (&json!("succeeded"), &json!(200))
    );
}

#[tokio::test]
async fn a_run_that_stays_hidden_is_a_404_with_retry_after() {
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
