//! A look knows by the ids of runs which are older than the attempt, and how far dbt Cloud's clock is behind. The simulator's
//! clock stands months behind the database's, unless the test says otherwise.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, acme};

use super::{body, in_real_time, make_due, pass, path, received, resolution, runs_with_cause, without_waiting};
use crate::support::{Setup, TestApp};

/// A gateway that decides with its first look in the background.
fn setup() -> Setup {
    let mut setup = without_waiting();
    setup.trigger.horizon = Duration::ZERO;
    setup
}

fn rerun(job: i64) -> String {
    format!("/jobs/{job}/rerun")
}

/// Sends a POST whose answer is lost, and which is not looked for yet. Returns the request's UUID.
async fn lose(app: &TestApp, fault: Fault, path: &str, body: &Value) -> String {
    let on = app.dbt.add_fault(fault);
    let away = app.dbt.add_fault(Fault::on("GET", "/api/v2/").status(503));
    let answer = app.operator().post(path, body).await;
    answer.problem(504, "trigger-unresolved");
    app.dbt.remove_fault(on);
    app.dbt.remove_fault(away);
    answer.request_uuid()
}

fn after_the_work() -> Fault {
    Fault::on("POST", "/api/v2/").once().reset_after()
}

fn before_the_work() -> Fault {
    Fault::on("POST", "/api/v2/").once().reset_before()
}

/// Somebody else starts runs past the gateway.
async fn started_elsewhere(app: &TestApp, job: i64, count: usize) {
    let address = format!(
        "{}/api/v2/accounts/{}/jobs/{job}/rerun/",
        app.dbt.base_url(),
        acme::ACCOUNT_ID
    );
    for _ in 0..count {
        let request = app.http.post(&address).bearer_auth(acme::TOKEN);
        assert!(request.send().await.unwrap().status().is_success());
    }
}

async fn look(app: &TestApp, uuid: &str) -> Value {
    make_due(app).await;
    app.dbt.clear_requests();
    assert_eq!(pass(app).await, 1);
    resolution(app, uuid).await
}

#[tokio::test]
async fn a_marked_run_behind_more_than_a_page_of_newer_ones_is_found() {
    let app = setup().start().await;
    app.operator().post(&path(), &body("known")).await.expect(201);
    let uuid = lose(&app, after_the_work(), &path(), &body("lost")).await;
    started_elsewhere(&app, acme::NIGHTLY_JOB_ID, 120).await;
    let found = look(&app, &uuid).await;
    let run = &runs_with_cause(&app, "known").await;
    assert!(run.is_empty(), "the known run is on the second page, as the lost one");
    assert_eq!(found["state"], "started");
    let row = app
        .caller(model::Role::Viewer)
        .get(&format!("/runs/{}", found["run_id"]))
        .await;
    assert_eq!(row.expect(200)["job_definition_id"], acme::NIGHTLY_JOB_ID);
}

#[tokio::test]
async fn what_was_not_started_is_known_behind_more_than_a_page_of_newer_runs() {
    let app = setup().start().await;
    app.operator().post(&path(), &body("known")).await.expect(201);
    let uuid = lose(&app, before_the_work(), &path(), &body("lost")).await;
    started_elsewhere(&app, acme::NIGHTLY_JOB_ID, 120).await;
    assert_eq!(look(&app, &uuid).await["state"], "not_started");
    let pages = app.dbt.requests_to("GET", "/api/v2/").len();
    assert_eq!(pages, 3, "two pages back to the known run, and that run for the clock");
}

#[tokio::test]
async fn a_run_without_a_marker_is_found_though_dbts_clock_is_months_behind() {
    let app = setup().start().await;
    app.operator().post(&path(), &body("known")).await.expect(201);
    let uuid = lose(&app, after_the_work(), &rerun(acme::NIGHTLY_JOB_ID), &json!(null)).await;
    let found = look(&app, &uuid).await;
    assert_eq!((&found["state"], &found["probable"]), (&json!("started"), &json!(true)));
}

#[tokio::test]
async fn a_run_between_the_known_one_and_the_attempt_is_told_apart_by_the_shifted_time() {
    // The known run is of another job, so no list of this one shows it.
    for known in [acme::NIGHTLY_JOB_ID, acme::HOURLY_JOB_ID] {
        let app = setup().start().await;
        let known = app
            .operator()
            .post(&format!("/jobs/{known}/runs"), &body("known"))
            .await;
        known.expect(201);
        app.dbt.advance(Duration::from_hours(1));
        started_elsewhere(&app, acme::NIGHTLY_JOB_ID, 1).await;
        app.dbt.advance(Duration::from_hours(1));
        let uuid = lose(&app, after_the_work(), &rerun(acme::NIGHTLY_JOB_ID), &json!(null)).await;
        // The database's clock has advanced as well.
        sqlx::query("UPDATE trigger_attempt SET sent_at = sent_at + interval '2 hours' WHERE request_uuid = $1::uuid")
            .bind(&uuid)
            .execute(app.database.pool())
            .await
            .unwrap();
        let found = look(&app, &uuid).await;
        assert_eq!(found["state"], "started", "{found}");
    }
}

#[tokio::test]
async fn without_a_known_run_times_alone_decide() {
    let mut setup = setup();
    setup.simulator = in_real_time().simulator;
    let app = setup.start().await;
    let uuid = lose(&app, before_the_work(), &path(), &body("first")).await;
    assert_eq!(look(&app, &uuid).await["state"], "not_started");
    assert_eq!(app.dbt.requests_to("GET", "/api/v2/").len(), 1);
    assert_eq!(received(&app), 0);
}

#[tokio::test]
async fn a_look_that_does_not_reach_back_decides_nothing() {
    let mut setup = setup();
    setup.trigger.look_pages = 1;
    let app = setup.start().await;
    app.operator().post(&path(), &body("known")).await.expect(201);
    let uuid = lose(&app, after_the_work(), &path(), &body("lost")).await;
    started_elsewhere(&app, acme::NIGHTLY_JOB_ID, 120).await;
    let found = look(&app, &uuid).await;
    assert_eq!(found["state"], "unresolved", "{found}");
}
