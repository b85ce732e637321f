//! Cancelling a run.

use std::time::Duration;

use serde_json::json;
use simulator::{CancelFinishedRun, acme};

use super::{reasons, start};
use crate::support::TestApp;

/// The number of POSTs that dbt Cloud has received.
fn posts(app: &TestApp) -> usize {
    app.dbt.requests_to("POST", "/").len()
}

#[tokio::test]
async fn cancelling_a_run_is_idempotent() {
    let app = TestApp::start().await;
    let run = start(&app, acme::SLOW_JOB_ID).await;
    app.dbt.advance(Duration::from_mins(1));
    let path = format!("/runs/{run}/cancel");
    let first = app.operator().post(&path, &json!(null)).await;
    let answered = first.expect(202);
    assert_eq!(
        (&answered["id"], &answered["status"]),
        (&json!(run), &json!(3)),
        "still running"
    );
    let row = app.row_of(&first).await;
    assert_eq!(
        (reasons(&row), &row["run_id"]),
        (vec!["before_change", "asked"], &json!(run))
    );

    assert_eq!(app.operator().post(&path, &json!(null)).await.expect(202)["status"], 3);
    app.dbt.advance(Duration::from_mins(1));
    let before = posts(&app);
    assert_eq!(app.operator().post(&path, &json!(null)).await.expect(202)["status"], 30);
    assert_eq!(posts(&app), before, "nothing is left to cancel");
}

#[tokio::test]
async fn a_finished_run_cannot_be_cancelled() {
    for behaviour in [CancelFinishedRun::Unchanged, CancelFinishedRun::Refuse] {
        let app = TestApp::start().await;
        app.dbt
            .change_switches(|switches| switches.cancel_finished_run = behaviour);
        for (run, status) in [(acme::SUCCEEDED_RUN_ID, "success"), (acme::FAILED_RUN_ID, "error")] {
            let answer = app.operator().post(&format!("/runs/{run}/cancel"), &json!(null)).await;
            let problem = answer.problem(409, "run-finished");
            let detail = format!("Run {run} is over ({status}), so there is nothing to cancel.");
            assert_eq!(problem["detail"], detail);
            assert_eq!(app.row_of(&answer).await["outcome"], "conflict");
        }
        assert_eq!(posts(&app), 0);
    }
}
