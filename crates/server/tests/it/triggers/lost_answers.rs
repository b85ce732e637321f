//! dbt Cloud's answer is lost: the run is found, and nothing is sent again.

use serde_json::json;
use simulator::{Fault, LongCause, acme};

use super::{body, lost_after_the_work, path, received, resolution, runs_with_cause, without_waiting};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn the_caller_gets_the_run_as_if_nothing_had_happened() {
    let app = TestApp::start().await;
    for (index, fault) in lost_after_the_work().into_iter().enumerate() {
        let cause = format!("lost {index} ");
        app.dbt.clear_requests();
        let on = app.dbt.add_fault(fault.clone());
        let answer = app.operator().post(&path(), &body(&cause)).await;
        app.dbt.remove_fault(on);
        let run = answer.expect(201);
        assert_eq!(answer.header("x-run-origin"), Some("resolved"), "{fault:?}");
        assert_eq!(answer.header("location"), Some(format!("/runs/{}", run["id"]).as_str()));
        let started = runs_with_cause(&app, &cause).await;
        assert_eq!(started.len(), 1, "{fault:?}");
        assert_eq!(
            (&started[0]["id"], &run["trigger"]),
            (&run["id"], &json!(null)),
            "{fault:?}"
        );
        assert_eq!(received(&app), 1, "{fault:?}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["outcome"], &row["run_id"]),
            (&json!("succeeded"), &run["id"]),
            "{fault:?}"
        );
        let resolved = resolution(&app, &answer.request_uuid()).await;
        assert_eq!(
            (&resolved["state"], &resolved["run_id"]),
            (&json!("started"), &run["id"])
        );
    }
}

#[tokio::test]
async fn a_run_that_appears_late_is_found() {
    let app = TestApp::start().await;
    app.dbt.change_switches(|switches| switches.run_hidden_secs = 60);
    let on = app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    let operator = app.operator();
    let body = body("late");
    let path = path();
    let trigger = operator.post(&path, &body);
    let appear = async {
        crate::support::eventually(async || {
            let looks = app.dbt.requests_to("GET", "/api/v2/").len();
            (looks >= 2).then_some(())
        })
        .await;
        app.dbt.advance(std::time::Duration::from_secs(61));
    };
    let (answer, ()) = tokio::join!(trigger, appear);
    answer.expect(201);
    assert_eq!(answer.header("x-run-origin"), Some("resolved"));
    app.dbt.remove_fault(on);
    assert_eq!(received(&app), 1);
}

#[tokio::test]
async fn a_run_that_is_not_found_in_time_is_a_504_that_says_where_to_read_on() {
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_before());
    let answer = app.operator().post(&path(), &body("never started")).await;
    let problem = answer.problem(504, "trigger-unresolved");
    let detail = problem["detail"].as_str().unwrap();
    let marker = &answer.request_uuid().replace('-', "")[16..];
    assert!(detail.contains(&format!("[dgw:{marker}]")), "{detail}");
    assert!(
        detail.contains(&format!("/request-logs/{}", answer.request_uuid())),
        "{detail}"
    );
    let resolved = resolution(&app, &answer.request_uuid()).await;
    assert_eq!(
        (&resolved["state"], &resolved["run_id"]),
        (&json!("looking"), &json!(null))
    );
    let row = app.row_of(&answer).await;
    assert_eq!(row["outcome"], "disconnected", "the row keeps its own outcome");
}

#[tokio::test]
async fn a_definite_refusal_is_passed_on_and_nothing_is_looked_for() {
    let app = TestApp::start().await;
    for (status, kind, answered) in [
        (400, "invalid-request", 400),
        (404, "not-found", 404),
        (429, "rate-limit", 429),
        (401, "dbt-credentials-refused", 502),
    ] {
        app.dbt.clear_requests();
        let on = app.dbt.add_fault(Fault::on("POST", "/api/v2/").status(status));
        let answer = app.operator().post(&path(), &body("refused")).await;
        app.dbt.remove_fault(on);
        answer.problem(answered, kind);
        assert_eq!(app.dbt.requests().len(), 1, "{status}");
        assert_eq!(resolution(&app, &answer.request_uuid()).await, json!(null));
    }
}

#[tokio::test]
async fn a_marker_fits_into_a_long_cause_and_the_row_keeps_all_of_it() {
    let app = TestApp::start().await;
    let cause = "ä".repeat(255);
    let answer = app.operator().post(&path(), &body(&cause)).await;
    answer.expect(201);
    let sent = &app.dbt.requests_to("POST", "/")[0].json()["cause"];
    let marker = &answer.request_uuid().replace('-', "")[16..];
    assert_eq!(sent, &json!(format!("{} [dgw:{marker}]", "ä".repeat(232))));
    assert_eq!(app.row_of(&answer).await["args"]["order"]["cause"], cause);
}

#[tokio::test]
async fn a_run_whose_marker_dbt_cut_off_is_never_taken_for_not_started() {
    let mut setup = without_waiting();
    setup.trigger.horizon = std::time::Duration::ZERO;
    setup.simulator = simulator::Config::default();
    let app = setup.start().await;
    app.dbt.change_switches(|switches| {
        switches.cause_max_chars = 40;
        switches.long_cause = LongCause::Truncate;
    });
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
    let cause = "The warehouse was reloaded at night, all of it";
    let answer = app.operator().post(&path(), &body(cause)).await;
    answer.problem(504, "trigger-unresolved");
    app.clients
        .resolve_triggers(std::time::Duration::from_secs(5))
        .await
        .unwrap();
    let resolved = resolution(&app, &answer.request_uuid()).await;
    let run = &runs_with_cause(&app, &cause[..30]).await[0]["id"];
    assert_eq!(
        (&resolved["state"], &resolved["candidates"]),
        (&json!("unresolved"), &json!([run]))
    );
}

#[tokio::test]
async fn without_markers_bodies_are_sent_as_they_came() {
    let mut setup = Setup::default();
    setup.trigger.marks = false;
    let app = setup.start().await;
    app.operator().post(&path(), &body("plain")).await.expect(201);
    assert_eq!(app.dbt.requests_to("POST", "/")[0].json()["cause"], "plain");
}

#[tokio::test]
async fn a_refusal_behind_a_200_is_told_in_its_words_and_not_taken_for_one() {
    let app = without_waiting().start().await;
    let fault = Fault::on("POST", "/api/v2/")
        .once()
        .answer(200, super::refusal_behind_200());
    app.dbt.add_fault(fault);
    let answer = app.operator().post(&path(), &body("odd")).await;
    let problem = answer.problem(504, "trigger-unresolved");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("dbt Cloud answered 200 OK, but says that the request failed (Odd.)"),
        "{detail}"
    );
    assert_eq!(resolution(&app, &answer.request_uuid()).await["state"], "looking");
}

#[tokio::test]
async fn a_creation_refused_behind_a_200_is_not_made_again() {
    let app = TestApp::start().await;
    let fault = Fault::on("POST", "/api/v2/")
        .once()
        .answer(200, super::refusal_behind_200());
    app.dbt.add_fault(fault.work_done());
    let job = json!({
        "name": "odd", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID,
    });
    let admin = |key: &'static str| {
        let (app, job) = (&app, &job);
        async move {
            let admin = app.caller(model::Role::Admin);
            let request = admin
                .request(reqwest::Method::POST, "/jobs")
                .header("idempotency-key", key);
            admin.send(request.json(job)).await
        }
    };
    assert_eq!(admin("k").await.status, 502);
    admin("k").await.problem(409, "idempotency-unresolved");
    assert_eq!(app.dbt.requests_to("POST", "/").len(), 1);
}
