//! The look for a run goes on without its caller, in any process.

use std::time::Duration;

use serde_json::json;
use simulator::{Fault, acme};

use super::{
    body, in_real_time, make_due, pass, path, received, replica, resolution, runs_with_cause, with_key, without_waiting,
};
use crate::support::Setup;

#[tokio::test]
async fn another_process_finds_the_run_and_answers_the_repeat() {
    let app = without_waiting().start().await;
    let other = replica(&app, 2, without_waiting()).await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 60);
    let first = with_key(&app, "k", &path(), &body("found later")).await;
    first.problem(504, "trigger-unresolved");
    app.dbt.advance(Duration::from_secs(61));
    make_due(&app).await;
    assert_eq!(pass(&other).await, 1);
    let found = resolution(&app, &first.request_uuid()).await;
    assert_eq!(found["state"], "started");
    let repeat = with_key(&app, "k", &path(), &body("found later")).await;
    assert_eq!(repeat.expect(201)["id"], found["run_id"]);
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    assert_eq!(received(&app), 1);
    let internal: Vec<serde_json::Value> =
        sqlx::query_scalar("SELECT to_jsonb(request_log) FROM request_log WHERE request_type = 'resolve_triggers'")
            .fetch_all(app.database.pool())
            .await
            .unwrap();
    assert_eq!(internal.len(), 1, "a look has a row of its own");
    assert_eq!(
        (&internal[0]["surface"], &internal[0]["api_key_id"]),
        (&json!("internal"), &json!(null))
    );
}

#[tokio::test]
async fn not_started_is_said_only_after_a_look_that_began_after_the_horizon() {
    let mut setup = without_waiting();
    setup.trigger.horizon = Duration::from_millis(300);
    let app = setup.start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_before());
    let first = with_key(&app, "k", &path(), &body("never")).await;
    first.problem(504, "trigger-unresolved");
    let uuid = first.request_uuid();
    let state = crate::support::eventually(async || {
        make_due(&app).await;
        pass(&app).await;
        let state = resolution(&app, &uuid).await;
        (state["state"] != "looking").then_some(state)
    })
    .await;
    assert_eq!(state["state"], "not_started");
    // The next request with that key is a new one.
    let second = with_key(&app, "k", &path(), &body("never")).await;
    second.expect(201);
    assert_eq!(second.header("x-run-origin"), Some("started"));
    assert_eq!(runs_with_cause(&app, "never").await.len(), 1);
}

#[tokio::test]
async fn while_dbt_cloud_is_away_nothing_is_decided() {
    let mut setup = without_waiting();
    setup.trigger.horizon = Duration::ZERO;
    let app = setup.start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    let away = app.dbt.add_fault(Fault::on("GET", "/api/v2/").status(503));
    let first = app.operator().post(&path(), &body("dbt is away")).await;
    first.problem(504, "trigger-unresolved");
    for _ in 0..3 {
        make_due(&app).await;
        pass(&app).await;
        assert_eq!(resolution(&app, &first.request_uuid()).await["state"], "looking");
    }
    app.dbt.remove_fault(away);
    make_due(&app).await;
    pass(&app).await;
    assert_eq!(resolution(&app, &first.request_uuid()).await["state"], "started");
    assert_eq!(received(&app), 1);
}

#[tokio::test]
async fn what_a_dead_process_was_sending_is_looked_for_by_another() {
    let app = Setup::default().start().await;
    let other = replica(&app, 2, Setup::default()).await;
    let dead: i64 =
        sqlx::query_scalar("INSERT INTO instance (host, version, ended_at) VALUES ('h', 'v', now()) RETURNING id")
            .fetch_one(app.database.pool())
            .await
            .unwrap();
    // The process ended between the commit of its attempt and dbt Cloud's answer.
    let gone = replica(
        &app,
        dead,
        Setup {
            trigger: provider::TriggerSettings {
                lease: Duration::from_mins(10),
                ..Setup::default().trigger
            },
            ..Setup::default()
        },
    )
    .await;
    app.dbt
        .add_fault(Fault::on("POST", "/api/v2/").once().delay_after_ms(600_000));
    let sent = tokio::spawn({
        let request = gone
            .with_key(app.key(model::Role::Operator))
            .request(reqwest::Method::POST, &path());
        async move { drop(request.json(&body("the process dies")).send().await) }
    });
    app.dbt_received(1, "POST").await;
    let uuid: uuid::Uuid = sqlx::query_scalar("SELECT request_uuid FROM trigger_attempt WHERE state = 'sending'")
        .fetch_one(app.database.pool())
        .await
        .unwrap();
    assert_eq!(pass(&other).await, 1);
    let found = resolution(&app, &uuid.to_string()).await;
    assert_eq!((&found["state"], received(&app)), (&json!("started"), 1));
    sent.abort();
}

#[tokio::test]
async fn a_living_process_keeps_what_it_sends() {
    let app = Setup::default().start().await;
    let other = replica(&app, 2, Setup::default()).await;
    app.dbt
        .add_fault(Fault::on("POST", "/api/v2/").once().delay_after_ms(300));
    let operator = app.operator();
    let (path, body) = (path(), body("slow"));
    let watching = async {
        app.dbt_received(1, "POST").await;
        assert_eq!(pass(&other).await, 0);
    };
    let (answer, ()) = tokio::join!(operator.post(&path, &body), watching);
    answer.expect(201);
    assert_eq!(answer.header("x-run-origin"), Some("started"));
}

#[tokio::test]
async fn attempts_of_an_account_share_one_list() {
    let mut setup = without_waiting();
    setup.trigger.horizon = Duration::from_mins(10);
    let app = setup.start().await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 60);
    let on = app.dbt.add_fault(Fault::on("POST", "/api/v2/").reset_after());
    for index in 0..5 {
        let answer = app.operator().post(&path(), &body(&format!("shared {index}"))).await;
        answer.problem(504, "trigger-unresolved");
    }
    app.dbt.remove_fault(on);
    app.dbt.advance(Duration::from_secs(61));
    make_due(&app).await;
    app.dbt.clear_requests();
    assert_eq!(pass(&app).await, 5);
    assert_eq!(app.dbt.requests_to("GET", "/api/v2/").len(), 1);
    let states: Vec<String> = sqlx::query_scalar("SELECT DISTINCT state FROM trigger_attempt")
        .fetch_all(app.database.pool())
        .await
        .unwrap();
    assert_eq!(states, ["started"]);
}

#[tokio::test]
async fn a_rerun_and_a_retry_are_found_without_a_marker_and_said_to_be_probable() {
    let app = in_real_time().start().await;
    let (_, failed) = crate::support::running_and_failed_run(&app).await;
    for path in [
        format!("/jobs/{}/rerun", acme::NIGHTLY_JOB_ID),
        format!("/runs/{failed}/retry"),
    ] {
        app.dbt.clear_requests();
        let on = app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
        let answer = app.operator().post(&path, &json!(null)).await;
        app.dbt.remove_fault(on);
        let run = answer.expect(201);
        assert_eq!(answer.header("x-run-origin"), Some("resolved"), "{path}");
        assert_eq!(app.dbt.requests_to("POST", "/").len(), 1, "{path}");
        let found = resolution(&app, &answer.request_uuid()).await;
        assert_eq!(
            (&found["probable"], &found["run_id"]),
            (&json!(true), &run["id"]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn two_candidates_are_unresolved_with_both_ids() {
    let mut setup = in_real_time();
    setup.trigger.resolve = Duration::ZERO;
    setup.trigger.horizon = Duration::ZERO;
    let app = setup.start().await;
    let rerun = format!("/jobs/{}/rerun", acme::NIGHTLY_JOB_ID);
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    // Somebody else starts a run of the job at the same moment.
    let elsewhere = format!(
        "{}/api/v2/accounts/{}/jobs/{}/rerun/",
        app.dbt.base_url(),
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    );
    let away = app.dbt.add_fault(Fault::on("GET", "/api/v2/").status(503));
    let answer = app.operator().post(&rerun, &json!(null)).await;
    answer.problem(504, "trigger-unresolved");
    app.http.post(elsewhere).bearer_auth(acme::TOKEN).send().await.unwrap();
    app.dbt.remove_fault(away);
    make_due(&app).await;
    pass(&app).await;
    let found = resolution(&app, &answer.request_uuid()).await;
    assert_eq!(found["state"], "unresolved");
    assert_eq!(found["candidates"].as_array().unwrap().len(), 2);
}
