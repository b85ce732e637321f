//! Reading a run: its statuses over time, and unusual fields.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Effect, Fault, FaultBody, acme};

use crate::support::TestApp;

#[tokio::test]
async fn a_triggered_run_moves_from_queued_to_success() {
    let app = TestApp::start().await;
    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let run = app
        .operator()
        .post(&path, &json!({"cause": "a test"}))
        .await
        .expect(201);
    let path = format!("/runs/{}", run["id"]);
    let mut seen: Vec<String> = Vec::new();
    while seen.last().is_none_or(|status| status != "Success") {
        assert!(seen.len() < 10, "{seen:?}");
        let run = app.viewer().get(&path).await.expect(200);
        assert_eq!(run["is_complete"], run["status"].as_i64().unwrap() >= 10);
        let status = run["status_humanized"].as_str().unwrap();
        if seen.last().is_none_or(|last| last != status) {
            seen.push(status.to_owned());
        }
        app.dbt.advance(Duration::from_secs(1));
    }
    assert_eq!(seen, ["Queued", "Starting", "Running", "Success"]);
    let run = app.viewer().get(&path).await.expect(200);
    assert_eq!((&run["status"], &run["is_success"]), (&json!(10), &json!(true)));
    assert!(
        run["finished_at"].as_str().unwrap().ends_with('Z'),
        "times have one format: {run:#}"
    );
}

#[tokio::test]
async fn ids_of_fourteen_digits_survive_in_both_directions() {
    let app = TestApp::start().await;
    let answer = app.viewer().get(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await;
    assert!(
        answer.text.contains(&format!("\"id\":{}", acme::SUCCEEDED_RUN_ID)),
        "{}",
        answer.text
    );
    let path = format!("/api/v2/accounts/{}/runs/{}/", acme::ACCOUNT_ID, acme::SUCCEEDED_RUN_ID);
    assert_eq!(app.dbt.requests()[0].target, path);

    let largest = app.viewer().get(&format!("/runs/{}", i64::MAX)).await;
    largest.problem(404, "not-found");
    let row = app.row_of(&largest).await;
    assert_eq!(
        (&row["run_id"], &row["account_id"]),
        (&json!(i64::MAX), &json!(acme::ACCOUNT_ID))
    );
}

#[tokio::test]
async fn an_unknown_status_is_passed_on_as_not_finished() {
    let app = TestApp::start().await;
    let (status, humanized) = (42, "Hibernating".to_owned());
    app.dbt
        .add_fault(Fault::everywhere().effect(Effect::RunStatus { status, humanized }));
    let run = app
        .viewer()
        .get(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID))
        .await
        .expect(200);
    assert_eq!(
        (&run["status"], &run["status_humanized"]),
        (&json!(42), &json!("Hibernating"))
    );
    assert_eq!(run["is_complete"], false);

    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let run = app.operator().post(&path, &json!({"cause": "x"})).await.expect(201);
    assert_eq!(run["status"], 42);
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_malformed_ones_become_null() {
    let app = TestApp::start().await;
    let path = format!("/runs/{}", acme::SUCCEEDED_RUN_ID);
    let before = app.viewer().get(&path).await.expect(200);
    app.dbt
        .add_fault(Fault::everywhere().once().effect(Effect::UnknownFields));
    assert_eq!(app.viewer().get(&path).await.expect(200), before);

    let malformed = json!({"data": {
        "id": acme::SUCCEEDED_RUN_ID.to_string(), "status": "done", "job_id": {"id": 1}, "created_at": 1_768_467_600,
        "finished_at": "2025-03-27 20:37:19.996618+00:00", "run_steps": {"0": {}}, "git_sha": 7, "is_complete": "yes",
    }});
    let body = FaultBody::Custom {
        content_type: "text/plain".to_owned(),
        body: malformed.to_string(),
    };
    app.dbt.add_fault(Fault::everywhere().once().answer(200, body));
    let run = app.viewer().get(&path).await.expect(200);
    let mut kept = run.as_object().unwrap().clone();
    assert_eq!(
        kept.len(),
        before.as_object().unwrap().len(),
        "every field is present, if only as null"
    );
    kept.retain(|_, value| !value.is_null());
    let expected = json!({"id": acme::SUCCEEDED_RUN_ID, "finished_at": "2025-03-27T20:37:19.996618Z"});
    assert_eq!(Value::Object(kept), expected);
}

/// A client that polls until `is_complete` comes to an end, whatever the flags say.
#[tokio::test]
async fn the_flags_of_a_run_follow_from_its_status_on_every_route() {
    let app = TestApp::start().await;
    let (run, list) = (
        format!("/runs/{}", acme::SUCCEEDED_RUN_ID),
        "/runs?page_size=1".to_owned(),
    );
    let set = |pointer: String, value: serde_json::Value| Effect::Set { pointer, value };
    for flag in [
        "is_complete",
        "is_success",
        "is_error",
        "is_cancelled",
        "in_progress",
        "is_running",
    ] {
        for (path, place) in [(&run, "/data"), (&list, "/data/0")] {
            let expected = app.viewer().get(path).await.expect(200);
            let pointer = format!("{place}/{flag}");
            for effect in [
                set(pointer.clone(), serde_json::json!(false)),
                set(pointer.clone(), serde_json::json!(true)),
                set(pointer.clone(), serde_json::json!(null)),
                Effect::Remove {
                    pointer: pointer.clone(),
                },
            ] {
                let fault = app.dbt.add_fault(Fault::on("GET", "/api/").effect(effect));
                assert_eq!(app.viewer().get(path).await.expect(200), expected, "{path} {flag}");
                app.dbt.remove_fault(fault);
            }
        }
    }
    for (status, words) in [(10, "Success"), (20, "Error"), (30, "Cancelled"), (3, "Running")] {
        let effect = Effect::RunStatus {
            status,
            humanized: words.to_owned(),
        };
        let fault = app.dbt.add_fault(Fault::on("GET", "/api/").effect(effect));
        let read = app.viewer().get(&run).await.expect(200);
        assert_eq!(read["is_complete"], status >= 10, "{words}");
        assert_eq!(
            [
                &read["is_success"],
                &read["is_error"],
                &read["is_cancelled"],
                &read["is_running"]
            ],
            [status == 10, status == 20, status == 30, status == 3],
            "{words}"
        );
        app.dbt.remove_fault(fault);
    }
}
