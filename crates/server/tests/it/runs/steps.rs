//! The steps of a run, with their logs.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, FaultBody, acme};

use crate::support::TestApp;

fn steps_of(run: i64) -> String {
    format!("/runs/{run}/steps")
}

async fn results(app: &TestApp, path: &str) -> Vec<Value> {
    let list = app.viewer().get(path).await.expect(200);
    let results = list["results"].as_array().unwrap().clone();
    assert_eq!(list["count"], results.len());
    results
}

#[tokio::test]
async fn the_steps_of_a_failed_run_are_listed_in_order_with_logs_and_skipped_ones() {
    // The status number of a skipped step is not documented.
    for number in [20, 30, 77] {
        let app = TestApp::start().await;
        app.dbt
            .change_switches(|switches| switches.skipped_step_status = number);
        let steps = results(&app, &steps_of(acme::FAILED_RUN_ID)).await;
        let statuses: Vec<_> = steps
            .iter()
            .map(|step| step["status_humanized"].as_str().unwrap())
            .collect();
        assert_eq!(statuses, ["Success", "Success", "Success", "Error", "Skipped"]);
        let (failed, skipped) = (&steps[3], &steps[4]);
        assert_eq!((&failed["index"], &failed["status"]), (&json!(4), &json!(20)));
        assert_eq!(failed["run_step_command"]["dbt_command"], "dbt build --select marts");
        assert!(
            failed["logs"]
                .as_str()
                .unwrap()
                .contains("not_null_stg_customers_email")
        );
        assert!(
            failed["started_at"].as_str().unwrap().ends_with('Z'),
            "times have one format"
        );
        assert_eq!(
            (&skipped["status"], &skipped["started_at"]),
            (&json!(number), &Value::Null)
        );
        assert_eq!(skipped["logs"], "");
    }
}

#[tokio::test]
async fn debug_logs_are_requested_only_with_debug_logs_true() {
    let app = TestApp::start().await;
    let path = steps_of(acme::SUCCEEDED_RUN_ID);
    for (query, related) in [("", "run_steps"), ("?debug_logs=true", "run_steps%2Cdebug_logs")] {
        let answer = app.viewer().get(&format!("{path}{query}")).await;
        let steps = answer.expect(200);
        let debug = steps["results"][3]["debug_logs"].as_str().unwrap();
        assert!(debug.contains("On seed."), "{debug}");
        let target = app.dbt.requests().last().unwrap().target.clone();
        assert!(target.ends_with(&format!("?include_related={related}")), "{target}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["request_type"], &row["attempts"]),
            (&json!("list_run_steps"), &json!(1))
        );
        assert_eq!(
            (&row["run_id"], &row["outcome"]),
            (&json!(acme::SUCCEEDED_RUN_ID), &json!("succeeded"))
        );
        assert_eq!(row["args"]["debug_logs"], !query.is_empty());
    }
    for bad in ["debug_logs=maybe", "debug_log=true", "page=0"] {
        let refused = app.viewer().get(&format!("{path}?{bad}")).await;
        refused.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn logs_are_empty_until_dbt_has_them() {
    let app = TestApp::start().await;
    app.dbt.change_switches(|switches| switches.step_log_lag_secs = 100_000);
    let steps = results(&app, &steps_of(acme::SUCCEEDED_RUN_ID)).await;
    assert!(steps.iter().all(|step| step["logs"] == ""), "{steps:#?}");
    app.dbt.advance(Duration::from_secs(100_000));
    let steps = results(&app, &steps_of(acme::SUCCEEDED_RUN_ID)).await;
    assert!(steps.iter().all(|step| step["logs"] != ""), "{steps:#?}");
}

#[tokio::test]
async fn a_running_run_lists_its_unfinished_step() {
    let app = TestApp::start().await;
    let path = format!("/jobs/{}/runs", acme::SLOW_JOB_ID);
    let run = app.operator().post(&path, &json!({"cause": "x"})).await.expect(201);
    app.dbt.advance(Duration::from_mins(1));
    let steps = results(&app, &steps_of(run["id"].as_i64().unwrap())).await;
    let last = steps.last().unwrap();
    assert_eq!((&last["status"], &last["finished_at"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn pages_of_steps_join_to_the_complete_list() {
    let app = TestApp::start().await;
    let all = results(&app, &steps_of(acme::SUCCEEDED_RUN_ID)).await;
    let mut next = format!("{}?page_size=2", steps_of(acme::SUCCEEDED_RUN_ID));
    let mut joined = Vec::new();
    loop {
        let page = app.viewer().get(&next).await.expect(200);
        assert_eq!(page["count"], all.len());
        joined.extend(page["results"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(address) => address.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(joined, all);
}

#[tokio::test]
async fn malformed_fields_of_steps_are_no_error_and_missing_steps_are() {
    let app = TestApp::start().await;
    let path = steps_of(acme::SUCCEEDED_RUN_ID);
    for (sent, is_whole) in [
        (json!([]), true),
        (json!([{"index": "x", "status": 77}]), true),
        (json!(null), false),
        (json!({}), false),
        (json!([{"index": "x", "status": 77}, 5]), false),
    ] {
        let body = json!({"data": {"id": acme::SUCCEEDED_RUN_ID, "run_steps": sent}});
        let body = FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: body.to_string(),
        };
        app.dbt.add_fault(Fault::everywhere().once().answer(200, body));
        if !is_whole {
            app.viewer().get(&path).await.problem(502, "dbt-unavailable");
            continue;
        }
        let steps = results(&app, &path).await;
        assert_eq!(steps.len(), sent.as_array().unwrap().len());
        if let [step] = &steps[..] {
            assert_eq!((&step["index"], &step["status"]), (&Value::Null, &json!(77)));
        }
    }
    app.viewer().get(&steps_of(4711)).await.problem(404, "not-found");
    app.dbt.add_fault(Fault::everywhere().status(503));
    app.viewer().get(&path).await.problem(502, "dbt-unavailable");
}
