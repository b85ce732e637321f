//! Waits end with the run, or at their deadline, and never wrongly.

use std::time::Duration;

use model::Role;
use serde_json::{Value, json};
use simulator::{Fault, FaultBody, acme};

use super::{Background, WHOLE_RUN, start_and_wait, start_run, wait_for};
use crate::support::{Setup, TestApp, eventually};

#[tokio::test]
async fn a_run_that_has_ended_answers_at_once_and_costs_no_watch() {
    let app = TestApp::start().await;
    let waited = wait_for(&app, acme::FAILED_RUN_ID, "include=failure").await;
    let run = waited.expect(200);
    assert_eq!(
        (&run["id"], &run["status_humanized"]),
        (&json!(acme::FAILED_RUN_ID), &json!("Error"))
    );
    assert_eq!(run["failure"]["verdict"], "failed");
    let row = app.row_of(&waited).await;
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(1)));
    let watches: i64 = sqlx::query_scalar("SELECT count(*) FROM run_watch")
        .fetch_one(app.database.pool())
        .await
        .unwrap();
    assert_eq!(watches, 0);
    let plain = wait_for(&app, acme::SUCCEEDED_RUN_ID, "").await.expect(200);
    assert_eq!(plain["failure"], Value::Null);
}

#[tokio::test]
async fn a_wait_ends_with_the_run_and_holds_nothing_that_others_need() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let run = start_run(&app).await;
    eventually(async || {
        let seen = sqlx::query_scalar("SELECT run FROM run_watch WHERE seen_at IS NOT NULL");
        let seen: Option<String> = seen.fetch_optional(app.database.pool()).await.unwrap();
        seen
    })
    .await;
    let (waited, ()) = tokio::join!(wait_for(&app, run, "timeout_seconds=60"), async {
        let row = open_wait(&app).await;
        assert_eq!((&row["outcome"], &row["run_id"]), (&Value::Null, &json!(run)));
        // But for a look that is in progress, only the place among the waits.
        eventually(async || {
            let metrics = app.metrics();
            let used: Vec<_> = metrics.lines().filter(|line| is_in_use(line)).collect();
            (used.len() == 1 && used[0].contains("waits")).then_some(())
        })
        .await;
        app.dbt.advance(WHOLE_RUN);
    });
    assert_eq!(waited.expect(200)["is_success"], true);
    let row = app.closed_row(&waited.request_uuid()).await;
    // The started run was watched by the same credential: nothing was asked for it again.
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(0)));
}

/// A share that a caller holds, but connections to dbt Cloud, which the watch uses now and then.
fn is_in_use(line: &str) -> bool {
    let (name, value) = line.rsplit_once(' ').unwrap_or_default();
    name.starts_with("dbt_gateway_shared_resource_used")
        && value != "0"
        && ["requests", "waits", "records"].iter().any(|each| name.contains(each))
}

/// The row of the wait that is open.
async fn open_wait(app: &TestApp) -> Value {
    eventually(async || {
        let rows = app.rows().await;
        rows.into_iter().find(|row| row["request_type"] == "wait_for_run")
    })
    .await
}

#[tokio::test]
async fn at_the_deadline_the_answer_is_the_run_as_it_is_and_where_to_wait_on() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let run = start_run(&app).await;
    app.dbt.advance(Duration::from_secs(8));
    let query = format!("timeout_seconds=1&account_id={}", acme::ACCOUNT_ID);
    let waited = wait_for(&app, run, &query).await;
    let seen = waited.expect(202);
    assert_eq!((&seen["id"], &seen["status"]), (&json!(run), &json!(3)));
    let again = format!("/runs/{run}/wait?account_id={}", acme::ACCOUNT_ID);
    assert_eq!(waited.header("location"), Some(again.as_str()));
    app.dbt.advance(WHOLE_RUN);
    assert_eq!(app.viewer().get(&again).await.expect(200)["is_complete"], true);
}

#[tokio::test]
async fn a_wait_outlives_failed_reads_garbled_answers_missing_runs_and_an_ignored_filter() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let run = start_run(&app).await;
    let waiting = wait_for(&app, run, "timeout_seconds=60");
    let trouble = async {
        open_wait(&app).await;
        let reads = || Fault::on("GET", "/api/v2/");
        for fault in [
            reads().answer(500, FaultBody::Html),
            reads().answer(404, FaultBody::Envelope),
            reads().answer(200, FaultBody::Html),
            reads().answer(429, FaultBody::Empty),
            reads().reset_before(),
            reads().answer(401, FaultBody::Envelope),
        ] {
            app.dbt.clear_requests();
            let id = app.dbt.add_fault(fault);
            app.dbt_received(2, "GET").await;
            app.dbt.remove_fault(id);
        }
        for change in [
            |switches: &mut simulator::Switches| switches.pk_in_drops_first = true,
            |switches: &mut simulator::Switches| switches.pk_in_ignored = true,
        ] {
            app.dbt.clear_requests();
            app.dbt.change_switches(change);
            app.dbt_received(3, "GET").await;
        }
        app.dbt.advance(WHOLE_RUN);
    };
    let (waited, ()) = tokio::join!(waiting, trouble);
    assert_eq!(waited.expect(200)["is_success"], true);
}

#[tokio::test]
async fn a_run_of_another_company_is_not_found_and_bad_input_is_refused() {
    let app = TestApp::start().await;
    let run = start_run(&app).await;
    let other = app.create_company("Other").await;
    let key = app.create_key(other, Role::Admin).await;
    for path in [format!("/runs/{run}/wait"), format!("/runs/{run}/events?format=json")] {
        app.with_key(&key).get(&path).await.problem(404, "not-found");
    }
    wait_for(&app, 1, "").await.problem(404, "not-found");
    for query in [
        "timeout_seconds=0",
        "timeout_seconds=3601",
        "timeout_seconds=x",
        "include=all",
        "on_timeout=cancel",
    ] {
        wait_for(&app, run, query).await.problem(400, "invalid-request");
    }
    for query in [
        "on_timeout=cancel",
        "timeout_seconds=5",
        "wait=maybe",
        "wait=true&on_disconnect=stop",
    ] {
        start_and_wait(&app, query, None).await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn waits_have_places_of_their_own_and_a_company_may_not_take_all() {
    let setup = Setup {
        max_waits: 2,
        ..Setup::default()
    };
    let app = setup.start().await;
    let _background = Background::of(&app.clients);
    let run = start_run(&app).await;
    let (first, ()) = tokio::join!(wait_for(&app, run, "timeout_seconds=60"), async {
        open_wait(&app).await;
        let refused = wait_for(&app, run, "timeout_seconds=1").await;
        refused.problem(503, "share-exhausted");
        assert!(refused.detail().contains("waits"), "{}", refused.detail());
        app.dbt.advance(WHOLE_RUN);
    });
    first.expect(200);
}

#[tokio::test]
async fn starting_and_waiting_is_one_request_and_a_repeat_joins_the_wait() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let query = "wait=true&timeout_seconds=60";
    let (first, second) = tokio::join!(start_and_wait(&app, query, Some("k")), async {
        eventually(async || {
            app.rows()
                .await
                .iter()
                .any(|row| !row["run_id"].is_null())
                .then_some(())
        })
        .await;
        let repeat = start_and_wait(&app, query, Some("k"));
        let (repeat, ()) = tokio::join!(repeat, async {
            eventually(async || (waiting(&app).await == 2).then_some(())).await;
            app.dbt.advance(WHOLE_RUN);
        });
        repeat
    });
    let (first_run, second_run) = (first.expect(201), second.expect(201));
    assert_eq!(
        (&first_run["is_success"], &first_run["id"]),
        (&json!(true), &second_run["id"])
    );
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.dbt.requests_to("POST", "/api/v2/").len(), 1);
    eventually(async || (waiting(&app).await == 0).then_some(())).await;
}

/// The waits on record.
async fn waiting(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM run_wait")
        .fetch_one(app.database.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_started_run_that_goes_on_at_the_deadline_is_202() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let started = start_and_wait(&app, "wait=true&timeout_seconds=1", None).await;
    let run = started.expect(202);
    assert_eq!(run["is_complete"], false);
    assert_eq!(
        started.header("location"),
        Some(format!("/runs/{}", run["id"]).as_str())
    );
}

#[tokio::test]
async fn at_a_stop_every_wait_is_answered_and_no_run_is_cancelled() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let query = "wait=true&timeout_seconds=60&on_timeout=cancel&on_disconnect=cancel";
    let (started, ()) = tokio::join!(start_and_wait(&app, query, None), async {
        eventually(async || (waiting(&app).await == 1).then_some(())).await;
        app.clients.end_lasting_requests();
    });
    started.expect(202);
    eventually(async || (waiting(&app).await == 0).then_some(())).await;
    app.clients.cancel_waited_runs().await.unwrap();
    app.clients.background_looks_end().await;
    assert_eq!(app.dbt.requests_to("POST", "/api/v2/").len(), 1, "only the trigger");
}
