//! Triggers on the dbt-compatible surface.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use simulator::{Fault, acme};

use super::{body, in_real_time, lost_after_the_work, lost_before_the_work, received, resolution, runs_with_cause};
use crate::support::{Setup, TestApp};

fn path() -> String {
    format!(
        "/api/v2/accounts/{}/jobs/{}/run/",
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    )
}

#[tokio::test]
async fn a_lost_answer_is_answered_in_dbts_envelope_with_the_run() {
    let app = in_real_time().start().await;
    for (index, fault) in lost_after_the_work().into_iter().enumerate() {
        if matches!(&fault.effect, simulator::Effect::Answer { status: 307, .. }) {
            continue;
        }
        let cause = format!("relayed {index} ");
        app.dbt.clear_requests();
        let on = app.dbt.add_fault(fault.clone());
        let answer = app.operator().post(&path(), &body(&cause)).await;
        app.dbt.remove_fault(on);
        let envelope = answer.expect(200);
        let started = runs_with_cause(&app, &cause).await;
        assert_eq!(started.len(), 1, "{fault:?}");
        assert_eq!(envelope["data"]["id"], started[0]["id"], "{fault:?}");
        assert_eq!(envelope["status"]["is_success"], true);
        assert_eq!(answer.header("x-run-origin"), Some("resolved"), "{fault:?}");
        assert_eq!(
            app.dbt.requests_to("POST", "/")[0].json(),
            body(&cause),
            "bodies are sent as they came"
        );
        assert_eq!(received(&app), 1, "{fault:?}");
        assert_eq!(resolution(&app, &answer.request_uuid()).await["probable"], true);
    }
}

#[tokio::test]
async fn an_unresolved_trigger_is_a_504_in_dbts_envelope() {
    let app = in_real_time().start().await;
    for fault in lost_before_the_work() {
        let on = app.dbt.add_fault(fault);
        let answer = app.operator().post(&path(), &body("nothing")).await;
        app.dbt.remove_fault(on);
        let envelope = answer.expect(504);
        assert!(
            envelope["status"]["user_message"]
                .as_str()
                .unwrap()
                .contains("not known yet")
        );
    }
}

#[tokio::test]
async fn answers_and_refusals_pass_unchanged() {
    let app = TestApp::start().await;
    let direct = app
        .http
        .post(format!("{}{}", app.dbt.base_url(), path()))
        .bearer_auth(acme::TOKEN);
    let refused = direct.json(&json!({})).send().await.unwrap();
    let (status, text) = (refused.status(), refused.text().await.unwrap());
    let relayed = app.operator().post(&path(), &json!({})).await;
    assert_eq!((relayed.status.as_u16(), &relayed.text), (status.as_u16(), &text));
    let started = app.operator().post(&path(), &body("plain")).await;
    assert_eq!(started.expect(200)["data"]["status"], 1);
    assert_eq!(started.header("x-run-origin"), None);
}

#[tokio::test]
async fn a_marker_is_added_only_if_the_settings_say_so() {
    let mut setup = Setup::default();
    setup.trigger.marks_relayed = true;
    let app = setup.start().await;
    let answer = app
        .operator()
        .post(&path(), &json!({"cause": "marked", "git_branch": "main"}))
        .await;
    answer.expect(200);
    let marker = &answer.request_uuid().replace('-', "")[16..];
    let sent = app.dbt.requests_to("POST", "/")[0].json();
    assert_eq!(
        sent,
        json!({"cause": format!("marked [dgw:{marker}]"), "git_branch": "main"})
    );
}

#[tokio::test]
async fn identical_triggers_within_the_window_start_one_run() {
    let mut setup = Setup::default();
    setup.trigger.repeat_window = Duration::from_mins(1);
    setup.trigger.resolve = Duration::from_secs(10);
    let app = setup.start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").delay_after_ms(50));
    let answers = join_all((0..8).map(|_| {
        let operator = app.operator();
        async move {
            operator
                .send(operator.request(Method::POST, &path()).json(&body("impatient")))
                .await
        }
    }))
    .await;
    assert_eq!(received(&app), 1);
    let mut ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.expect(200)["data"]["id"].as_i64().unwrap())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let replayed = answers
        .iter()
        .filter(|answer| answer.header("x-run-origin") == Some("replayed"))
        .count();
    assert_eq!(replayed, 7);
    app.operator().post(&path(), &body("another")).await.expect(200);
    assert_eq!(received(&app), 2);
}
