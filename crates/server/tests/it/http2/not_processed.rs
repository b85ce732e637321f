//! What dbt Cloud says that it did not process is sent again once, changes too; nothing else is.

use std::collections::HashSet;

use futures::stream::{self, StreamExt as _};
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use simulator::{Effect, Fault, FaultBody, acme};

use super::{setup, trigger, triggers};
use crate::relay::v2;
use crate::support::TestApp;

fn reasons(row: &Value) -> Vec<&str> {
    let exchanges = row["exchanges"].as_array().unwrap();
    exchanges.iter().map(|each| each["why"].as_str().unwrap()).collect()
}

/// The answer to a trigger, without the work.
fn started_run() -> FaultBody {
    FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: json!({"status": {"code": 200, "is_success": true}, "data": {"id": 7}}).to_string(),
    }
}

#[tokio::test]
async fn a_thousand_changes_over_connections_that_close_after_fifty_streams_are_processed_once_each() {
    const CHANGES: usize = 1000;
    let app = setup().start().await;
    app.dbt.change_switches(|switches| switches.h2_goaway_after = Some(50));
    // A short answer instead of a thousand runs, which the simulator would queue.
    app.dbt
        .add_fault(Fault::on("POST", "/api/v2/").answer(200, started_run()));
    let (operator, path) = (app.operator(), v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID)));
    let answers: Vec<_> = stream::iter(0..CHANGES)
        .map(|number| {
            let (operator, path) = (&operator, &path);
            async move { operator.post(path, &json!({"cause": format!("change {number}")})).await }
        })
        .buffer_unordered(48)
        .collect()
        .await;
    let failed: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(failed.is_empty(), "{} failed: {:#?}", failed.len(), failed[0]);
    let received: HashSet<String> = app
        .dbt
        .requests_to("POST", "/api/v2/")
        .iter()
        .map(|request| request.json()["cause"].to_string())
        .collect();
    assert_eq!((triggers(&app), received.len()), (CHANGES, CHANGES));

    let rows = app.rows().await;
    let sent_again: Vec<_> = rows.iter().filter(|row| row["attempts"] != 1).collect();
    assert!(!sent_again.is_empty(), "no stream was above the last one of a GOAWAY");
    for row in sent_again {
        assert_eq!(reasons(row), ["asked", "not_processed"], "{row:#}");
        assert_eq!(row["exchanges"][0]["error"], "not_processed");
        assert_eq!(row["outcome"], "succeeded");
    }
}

#[tokio::test]
async fn a_trigger_whose_stream_is_refused_once_starts_one_run() {
    let app = setup().start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").once().refuse_stream());
    let answer = app.operator().post(&trigger(), &json!({"cause": "once"})).await;
    answer.expect(201);
    assert_eq!(triggers(&app), 1);
    assert_eq!(reasons(&app.row_of(&answer).await), ["asked", "not_processed"]);
}

#[tokio::test]
async fn a_trigger_whose_stream_is_refused_twice_says_that_nothing_was_changed() {
    let app = setup().start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").refuse_stream());
    let answer = app.operator().post(&trigger(), &json!({"cause": "never"})).await;
    let problem = answer.problem(502, "dbt-unavailable");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("before it processed the request") && detail.contains("Nothing was changed"),
        "{detail}"
    );
    assert_eq!(answer.header(RETRY_AFTER), Some("2"));
    assert_eq!(triggers(&app), 0);
    let row = app.row_of(&answer).await;
    assert_eq!(reasons(&row), ["asked", "not_processed"]);
    assert_eq!(row["exchanges"][1]["error"], "not_processed");

    let path = v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID));
    let relayed = app.operator().post(&path, &json!({"cause": "never"})).await;
    let message = crate::relay::refusal(&relayed, 502);
    assert!(message.contains("Nothing was changed"), "{message}");
    assert_eq!(triggers(&app), 0);
}

#[tokio::test]
async fn a_read_whose_stream_is_refused_is_retried_like_other_reads() {
    let app = setup().start().await;
    app.dbt.add_fault(Fault::on("GET", "/api/").times(3).refuse_stream());
    let answer = app.viewer().get(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await;
    answer.expect(200);
    assert_eq!(
        reasons(&app.row_of(&answer).await),
        ["asked", "not_processed", "retry", "retry"]
    );
}

#[tokio::test]
async fn an_ambiguous_loss_is_not_sent_again() {
    let app = setup().start().await;
    let faults = [
        Fault::everywhere().reset_before(),
        Fault::everywhere().reset_after(),
        Fault::everywhere().effect(Effect::Truncate { keep_bytes: Some(10) }),
        Fault::everywhere().effect(Effect::Truncate { keep_bytes: Some(0) }),
    ];
    for fault in faults {
        for _ in 0..2 {
            // The second time the connection is open already.
            app.viewer().get("/projects").await.expect(200);
            app.dbt.clear_requests();
            let mut once = fault.clone().once();
            once.method = Some("POST".to_owned());
            app.dbt.add_fault(once);
            let answer = app.operator().post(&trigger(), &json!({"cause": "once"})).await;
            // The run is looked for: found where dbt Cloud had done the work.
            assert!([201, 504].contains(&answer.status.as_u16()), "{fault:?}: {answer:#?}");
            assert_eq!(triggers(&app), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn the_run_of_a_connection_that_is_cut_below_its_last_stream_is_looked_for() {
    let app = setup().start().await;
    // GOAWAY names this stream as processed; then the connection breaks without its answer.
    app.dbt.change_switches(|switches| switches.h2_goaway_after = Some(1));
    app.dbt.add_fault(Fault::on("POST", "/api/v2/").reset_after());
    let answer = app.operator().post(&trigger(), &json!({"cause": "once"})).await;
    answer.expect(201);
    assert_eq!(answer.header("x-run-origin"), Some("resolved"));
    assert_eq!(triggers(&app), 1);
}

#[tokio::test]
async fn the_upstream_speaks_http2() {
    // Only HTTP/2 can refuse a stream.
    let app: TestApp = setup().start().await;
    app.dbt.add_fault(Fault::everywhere().once().refuse_stream());
    let answer = app.viewer().get("/projects").await;
    answer.expect(200);
    assert_eq!(app.row_of(&answer).await["attempts"], 2);
}
