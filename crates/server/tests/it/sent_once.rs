//! A change is sent to dbt Cloud once, whatever the answer; a read at most three times.

use std::time::Duration;

use dbt_api::HttpSettings;
use reqwest::Method;
use serde_json::json;
use simulator::{Effect, Fault, FaultBody, acme};

use crate::support::{Setup, TestApp, running_and_failed_run};

fn path() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

/// Faults after which an HTTP client may retry.
fn ambiguous() -> Vec<Fault> {
    let everywhere = Fault::everywhere;
    let mut faults = vec![
        everywhere().reset_before(),
        everywhere().reset_after(),
        everywhere().effect(Effect::Truncate { keep_bytes: None }),
        everywhere().effect(Effect::MalformedJson),
        everywhere().status(429).header("retry-after", "0"),
        everywhere()
            .answer(307, FaultBody::Empty)
            .header("location", "/api/v2/accounts/"),
        everywhere().answer(308, FaultBody::Empty).header("location", "."),
    ];
    for status in [408, 500, 502, 503, 504] {
        faults.push(everywhere().status(status).header("retry-after", "0"));
        faults.push(everywhere().answer(status, FaultBody::Html).work_done());
        faults.push(
            everywhere()
                .answer(status, FaultBody::Empty)
                .header("connection", "close"),
        );
    }
    faults
}

/// A gateway that looks for a run once, and then leaves it to the background.
fn without_looking() -> Setup {
    let mut setup = Setup::default();
    setup.trigger.resolve = Duration::ZERO;
    setup
}

#[tokio::test]
async fn a_trigger_is_sent_once_whatever_the_answer() {
    let app = without_looking().start().await;
    for fault in ambiguous() {
        // The first of the two uses a connection that was used before.
        for _ in 0..2 {
            app.viewer().get("/projects").await.expect(200);
            app.dbt.clear_requests();
            let on = app.dbt.add_fault(fault.clone());
            let answer = app.operator().post(&path(), &json!({"cause": "once"})).await;
            app.dbt.remove_fault(on);
            assert!(
                answer.status.is_server_error() || answer.status == 429,
                "{fault:?}: {answer:#?}"
            );
            let sent = app.dbt.requests_to("POST", "/");
            assert_eq!(sent.len(), 1, "{fault:?}: {sent:#?}");
            let row = app.row_of(&answer).await;
            let exchanges = row["exchanges"].as_array().unwrap();
            let triggers = exchanges.iter().filter(|each| each["operation"] == "trigger_job");
            assert_eq!(triggers.count(), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn cancellations_retries_and_reruns_are_sent_once_whatever_the_answer() {
    let app = without_looking().start().await;
    // Both can be changed, so the read before the change does not refuse it.
    let (running, failed) = running_and_failed_run(&app).await;
    for path in [
        format!("/runs/{running}/cancel"),
        format!("/runs/{failed}/retry"),
        format!("/jobs/{}/rerun", acme::NIGHTLY_JOB_ID),
    ] {
        for mut fault in ambiguous() {
            if matches!(
                &fault.effect,
                Effect::ResetAfter | Effect::Truncate { .. } | Effect::MalformedJson
            ) || matches!(&fault.effect, Effect::Answer { work_done: true, .. })
            {
                // The change would be carried out and could not be repeated.
                continue;
            }
            fault.method = Some("POST".to_owned());
            let on = app.dbt.add_fault(fault.clone());
            app.dbt.clear_requests();
            let answer = app.operator().post(&path, &json!(null)).await;
            app.dbt.remove_fault(on);
            assert!(
                answer.status.is_server_error() || answer.status == 429,
                "{path} {fault:?}: {answer:#?}"
            );
            assert_eq!(app.dbt.requests_to("POST", "/").len(), 1, "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_trigger_that_times_out_is_sent_once() {
    let limit = Duration::from_secs(2);
    let http = Setup::default().http;
    for http in [
        HttpSettings {
            deadline: limit,
            ..http.clone()
        },
        HttpSettings {
            read_timeout: limit,
            ..http
        },
    ] {
        let setup = Setup {
            http,
            ..without_looking()
        };
        let app = setup.start().await;
        app.dbt.add_fault(Fault::everywhere().delay_after_ms(600_000));
        let answer = app.operator().post(&path(), &json!({"cause": "once"})).await;
        answer.problem(504, "trigger-unresolved");
        assert_eq!(app.dbt.requests_to("POST", "/").len(), 1);
    }
}

#[tokio::test]
async fn two_triggers_start_two_runs() {
    let app = TestApp::start().await;
    let body = json!({"cause": "not idempotent"});
    let first = app.operator().post(&path(), &body).await.expect(201);
    let second = app.operator().post(&path(), &body).await.expect(201);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(app.dbt.requests_to("POST", "/").len(), 2);
}

#[tokio::test]
async fn other_methods_on_the_trigger_route_do_not_trigger() {
    let app = TestApp::start().await;
    for method in [Method::HEAD, Method::OPTIONS, Method::GET] {
        let answer = app.operator().send(app.operator().request(method, &path())).await;
        assert_eq!(answer.status, 405);
    }
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn a_read_is_sent_at_most_three_times() {
    let app = TestApp::start().await;
    for fault in ambiguous() {
        let on = app.dbt.add_fault(fault.clone());
        let answer = app.viewer().get(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await;
        app.dbt.remove_fault(on);
        let sent = app.dbt.requests().len();
        app.dbt.clear_requests();
        assert!((1..=3).contains(&sent), "{fault:?}: {sent}");
        assert_eq!(app.row_of(&answer).await["attempts"], sent, "{fault:?}");
    }
}
