//! Texts that Postgres cannot store, from callers and from dbt Cloud: each request has its row, and so have those in the
//! same commit.

use futures::future;
use serde_json::{Value, json};
use simulator::{Fault, FaultBody, acme};

use crate::support::{Answer, Setup, TestApp};

fn trigger() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

/// Triggers with these bodies and sends plain reads concurrently, so that they share commits; returns the answers to the
/// triggers.
async fn trigger_among_reads(app: &TestApp, bodies: Vec<Value>) -> Vec<Answer> {
    let (operator, viewer) = (app.operator(), app.viewer());
    let path = trigger();
    let triggers = future::join_all(bodies.iter().map(|body| operator.post(&path, body)));
    let reads = future::join_all((0..40).map(|_| viewer.get("/projects/4711")));
    let (triggers, reads) = future::join(triggers, reads).await;
    for answer in &reads {
        assert_eq!(answer.status, 404);
        assert_eq!(app.row_of(answer).await["outcome"], "not_found");
    }
    triggers
}

#[tokio::test]
async fn unstorable_arguments_are_logged_in_a_cleaned_form() {
    let mut setup = Setup::default();
    setup.trigger.marks = false;
    let app = setup.start().await;
    let long = "ü".repeat(100_000);
    let bodies = vec![
        json!({"cause": "NUL \u{0}, \u{0}"}),
        json!({"cause": "backslashes \\u0000 \\ud800"}),
        json!({"cause": "not a character \u{ffff} \u{10ffff}"}),
        json!({"cause": "long", "steps_override": [long]}),
        json!({"cause": "many", "steps_override": vec!["\u{0}\""; 5_000]}),
    ];
    let answers = trigger_among_reads(&app, bodies).await;
    let mut args = Vec::new();
    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.text);
        let row = app.row_of(answer).await;
        assert_eq!(row["outcome"], "succeeded");
        args.push(row["args"].clone());
    }
    assert_eq!(args[0]["order"]["cause"], "NUL \u{fffd}, \u{fffd}");
    assert_eq!(args[1]["order"]["cause"], "backslashes \\u0000 \\ud800");
    assert_eq!(args[2]["order"]["cause"], "not a character \u{ffff} \u{10ffff}");
    for cut in &args[3..] {
        assert_eq!(cut["cut"], true, "{cut:#}");
        assert!(cut.to_string().len() <= 16 * 1024 && cut["start"].as_str().unwrap().ends_with('…'));
        assert!(cut["bytes"].as_u64().unwrap() > 16 * 1024);
    }
    let sent = app.dbt.requests_to("POST", "/");
    assert!(
        sent.iter().any(|request| request.json()["cause"] == "NUL \u{0}, \u{0}"),
        "dbt Cloud gets the text unchanged"
    );
}

#[tokio::test]
async fn a_lone_surrogate_is_invalid_json_and_is_refused() {
    let app = TestApp::start().await;
    for half in ["\\ud800", "\\udfff and more", "\\ud800\\ud800"] {
        let body = format!("{{\"cause\": \"{half}\"}}");
        let answer = app.operator().post_text(&trigger(), "application/json", body).await;
        answer.problem(400, "invalid-request");
    }
    assert!(app.rows().await.is_empty() && app.dbt.requests().is_empty());
}

#[tokio::test]
async fn unstorable_error_messages_of_dbt_are_logged_in_a_cleaned_form() {
    let message = |text: &str| format!("{{\"status\": {{\"user_message\": \"{text}\"}}}}");
    let long = "é".repeat(50_000);
    let cases = [
        message("NUL \\u0000 inside"),
        message("half \\ud800 of a character"),
        message(&long),
        "NUL \u{0} in plain text".to_owned(),
        long,
    ];
    let mut setup = Setup::default();
    setup.trigger.resolve = std::time::Duration::ZERO;
    let app = setup.start().await;
    for body in cases {
        let content_type = if body.starts_with('{') {
            "application/json"
        } else {
            "text/plain"
        }
        .to_owned();
        app.dbt
            .add_fault(Fault::on("POST", "/").answer(500, FaultBody::Custom { content_type, body }));
        let answers = trigger_among_reads(&app, vec![json!({"cause": "x"}); 3]).await;
        for answer in &answers {
            answer.problem(504, "trigger-unresolved");
            let row = app.row_of(answer).await;
            assert_eq!(
                (&row["outcome"], &row["status_code"]),
                (&json!("unexpected_status"), &json!(500))
            );
            let error = row["error"].as_str().unwrap();
            assert!(
                error.contains("500") && error.len() <= 2048 && !error.contains('\0'),
                "{error}"
            );
            assert!(!error.contains("row refused"), "cleaned before it was written: {error}");
        }
        app.dbt.clear_faults();
    }
}
