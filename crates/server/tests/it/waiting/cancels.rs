//! Runs that are cancelled since their caller left or its time was up.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{Background, start_and_wait, trigger};
use crate::support::{Setup, TestApp, eventually};

/// The cancellations that dbt Cloud received.
fn cancelled(app: &TestApp) -> usize {
    let posts = app.dbt.requests_to("POST", "/api/v2/");
    posts
        .iter()
        .filter(|request| request.path().ends_with("/cancel/"))
        .count()
}

async fn waits(app: &TestApp, condition: &str) -> bool {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM run_wait WHERE {condition})");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(app.database.pool())
        .await
        .unwrap()
}

/// Sends a request that starts a run and waits for it, and disconnects once the wait is on record.
async fn disconnect(app: &TestApp, query: &str, key: &str) {
    let operator = app.operator();
    let request = operator
        .request(Method::POST, &format!("{}?{query}", trigger()))
        .header("idempotency-key", key)
        .json(&json!({"cause": "left alone", "github_pull_request_id": 1}));
    tokio::select! {
        answer = request.send() => panic!("answered before the caller left: {answer:?}"),
        () = eventually(async || waits(app, "run_id IS NOT NULL AND cancel_at IS NULL").await.then_some(())) => {}
    }
}

#[tokio::test]
async fn a_run_that_is_late_is_cancelled_if_its_caller_wants_that() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    start_and_wait(&app, "wait=true&timeout_seconds=1&on_timeout=leave", None)
        .await
        .expect(202);
    assert_eq!(cancelled(&app), 0);
    let late = start_and_wait(&app, "wait=true&timeout_seconds=1&on_timeout=cancel", None).await;
    late.expect(202);
    eventually(async || (!waits(&app, "true").await).then_some(())).await;
    assert_eq!(cancelled(&app), 1);
    let row: serde_json::Value =
        sqlx::query_scalar("SELECT to_jsonb(request_log) FROM request_log WHERE request_type = 'cancel_waited_run'")
            .fetch_one(app.database.pool())
            .await
            .unwrap();
    assert_eq!(
        (&row["surface"], &row["outcome"]),
        (&json!("internal"), &json!("succeeded"))
    );
}

#[tokio::test]
async fn a_run_whose_caller_left_is_cancelled_after_the_grace_and_only_if_it_wants_that() {
    let app = TestApp::start().await;
    let background = Background::of(&app.clients);
    disconnect(&app, "wait=true&timeout_seconds=60", "leave").await;
    eventually(async || (!waits(&app, "true").await).then_some(())).await;
    assert_eq!(cancelled(&app), 0);
    disconnect(&app, "wait=true&timeout_seconds=60&on_disconnect=cancel", "cancel").await;
    eventually(async || (cancelled(&app) == 1).then_some(())).await;
    drop(background);
}

#[tokio::test]
async fn a_repeat_or_another_wait_within_the_grace_keeps_the_run() {
    let setup = Setup {
        disconnect_grace: Duration::from_mins(10),
        ..Setup::default()
    };
    let app = setup.start().await;
    let _background = Background::of(&app.clients);
    let query = "wait=true&timeout_seconds=60&on_disconnect=cancel";
    // A repeat with the key, which does not even wait.
    disconnect(&app, query, "repeated").await;
    eventually(async || waits(&app, "unless_waited").await.then_some(())).await;
    start_and_wait_again(&app, "repeated").await;
    assert!(!waits(&app, "true").await, "the run is kept");
    // Another wait for the same run.
    disconnect(&app, query, "waited").await;
    eventually(async || waits(&app, "unless_waited").await.then_some(())).await;
    let run: i64 = sqlx::query_scalar("SELECT run_id FROM run_wait")
        .fetch_one(app.database.pool())
        .await
        .unwrap();
    let other = super::wait_for(&app, run, "timeout_seconds=60");
    let (other, ()) = tokio::join!(other, async {
        eventually(async || waits(&app, "cancel_at IS NULL").await.then_some(())).await;
        sqlx::query("UPDATE run_wait SET cancel_at = clock_timestamp() WHERE unless_waited")
            .execute(app.database.pool())
            .await
            .unwrap();
        eventually(async || (!waits(&app, "unless_waited").await).then_some(())).await;
        app.dbt.advance(super::WHOLE_RUN);
    });
    other.expect(200);
    assert_eq!(cancelled(&app), 0);
}

async fn start_and_wait_again(app: &TestApp, key: &str) {
    let operator = app.operator();
    let request = operator
        .request(Method::POST, &trigger())
        .header("idempotency-key", key);
    let body = json!({"cause": "left alone", "github_pull_request_id": 1});
    let repeat = operator.send(request.json(&body)).await;
    repeat.expect(201);
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn a_wait_whose_process_died_cancels_at_its_deadline_and_never_because_of_the_death() {
    let app = TestApp::start().await;
    for (uuid, cancels_late) in [(1, true), (2, false)] {
        sqlx::query(
            "INSERT INTO run_wait (request_uuid, company_id, host, account_id, run_id, credential, deadline, cancels_late)
             VALUES (('00000000-0000-0000-0000-00000000000' || $1)::uuid, 1, '127.0.0.1', $2, $3, $4,
                 clock_timestamp() - interval '6 seconds', $5)",
        )
        .bind(uuid)
        .bind(simulator::acme::ACCOUNT_ID)
        .bind(super::start_run(&app).await)
        .bind(format!("account {}", simulator::acme::ACCOUNT_ID))
        .bind(cancels_late)
        .execute(app.database.pool())
        .await
        .unwrap();
    }
    assert_eq!(app.clients.cancel_waited_runs().await.unwrap(), 1);
    app.clients.background_looks_end().await;
    assert_eq!(cancelled(&app), 1);
}
