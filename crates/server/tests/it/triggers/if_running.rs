//! What a trigger does where the job has active runs.

use futures::future::join_all;
use serde_json::json;
use simulator::Fault;

use super::{body, path, received, with_key};
use crate::support::TestApp;

fn with(mode: &str) -> String {
    format!("{}?if_running={mode}", path())
}

#[tokio::test]
async fn reuse_returns_the_active_run_with_the_same_overrides_only() {
    let app = TestApp::start().await;
    let request = json!({"cause": "first", "git_branch": "main"});
    let first = app.operator().post(&with("reuse"), &request).await;
    let run = first.expect(201);
    let again = json!({"cause": "second", "git_branch": "main"});
    let reused = app.operator().post(&with("reuse"), &again).await;
    assert_eq!(reused.expect(200)["id"], run["id"]);
    assert_eq!(reused.header("x-run-origin"), Some("reused"));
    let other = app.operator().post(&with("reuse"), &body("other overrides")).await;
    assert_eq!(other.problem(409, "run-active")["errors"]["runs"], json!([run["id"]]));
    assert_eq!(received(&app), 1);
    // A repeat gets the reused run again.
    let keyed = with_key(&app, "k", &with("reuse"), &again).await;
    keyed.expect(200);
    let repeat = with_key(&app, "k", &with("reuse"), &again).await;
    assert_eq!(repeat.expect(200)["id"], run["id"]);
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn reject_counts_runs_that_dbt_cloud_does_not_list_yet() {
    let app = TestApp::start().await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 600);
    app.operator().post(&path(), &body("hidden")).await.expect(201);
    let refused = app.operator().post(&with("reject"), &body("second")).await;
    refused.problem(409, "run-active");
    assert_eq!(received(&app), 1);
    // It was refused, so it does not count itself.
    let keyed = with_key(&app, "k", &with("reject"), &body("third")).await;
    keyed.problem(409, "run-active");
    assert_eq!(received(&app), 1);
}

#[tokio::test]
async fn of_many_at_once_one_starts() {
    let app = TestApp::start().await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 600);
    let answers = join_all((0..12).map(|index| {
        let operator = app.operator();
        async move { operator.post(&with("reject"), &body(&format!("{index}"))).await }
    }))
    .await;
    let started = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((started, received(&app)), (1, 1));
}

#[tokio::test]
async fn cancel_queued_cancels_what_has_not_begun_and_never_what_runs() {
    let app = TestApp::start().await;
    let running = app.operator().post(&path(), &body("runs")).await.expect(201)["id"].clone();
    crate::support::eventually(async || {
        app.dbt.advance(std::time::Duration::from_secs(5));
        let run = app.viewer().get(&format!("/runs/{running}")).await.expect(200);
        (run["status"] == 3).then_some(())
    })
    .await;
    let queued = app.operator().post(&path(), &body("waits")).await.expect(201)["id"].clone();
    let preview = app
        .operator()
        .post(&format!("{}&dry_run=true", with("cancel_queued")), &body("x"))
        .await;
    let preview = preview.expect(200);
    assert_eq!(
        (&preview["decision"], &preview["would_cancel"]),
        (&json!("cancel_then_start"), &json!([queued]))
    );
    assert_eq!(preview["request"]["cause"], "x");
    let sent = app.dbt.requests_to("POST", "/").len();
    assert_eq!(sent, 2, "a preview sends nothing");

    let answer = app.operator().post(&with("cancel_queued"), &body("newest")).await;
    answer.expect(201);
    let status =
        async |id: &serde_json::Value| app.viewer().get(&format!("/runs/{id}")).await.expect(200)["status"].clone();
    assert_eq!(status(&queued).await, 30);
    assert_eq!(status(&running).await, 3);
    let row = app.row_of(&answer).await;
    let exchanges = row["exchanges"].as_array().unwrap();
    let cancelled: Vec<_> = exchanges.iter().filter(|each| each["why"] == "cancel_queued").collect();
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0]["run_id"], queued, "the row names the cancelled run");
}

#[tokio::test]
async fn an_unknown_mode_is_refused_and_a_failed_look_starts_nothing() {
    let app = TestApp::start().await;
    app.operator()
        .post(&with("maybe"), &body("x"))
        .await
        .problem(400, "invalid-request");
    let on = app.dbt.add_fault(Fault::on("GET", "/api/v2/").status(503));
    app.operator()
        .post(&with("reject"), &body("x"))
        .await
        .problem(502, "dbt-unavailable");
    app.dbt.remove_fault(on);
    assert_eq!(received(&app), 0);
    app.operator().post(&with("reject"), &body("x")).await.expect(201);
}
