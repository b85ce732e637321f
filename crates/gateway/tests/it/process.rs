//! Log lines, partitions, and the clean shutdown of a serving process.

use serde_json::Value;
use simulator::{Fault, acme};

use crate::support::{Caller, Gateway, Site, eventually};

#[tokio::test]
async fn every_log_line_of_a_request_has_its_uuid() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    let mut gateway = site.serve();
    let answer = caller.get(&gateway, "/projects").await.unwrap();
    let line: Value = serde_json::from_str(&gateway.wait_for_line("\"message\":\"answered\"")).unwrap();
    assert_eq!(line["http.response.status_code"], 200);
    assert_eq!(line["spans"][0]["request.uuid"], answer.request_id);
    assert_eq!(line["spans"][0]["http.route"], "/projects");
    gateway.stop();
}

#[tokio::test]
async fn every_log_level_keeps_the_span_of_the_request() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    for (filter, spans) in [("warn", 1), ("error", 1), ("debug,storage=trace", 2)] {
        let mut serve = site.command(&["serve"]);
        // `Gateway::start` needs the line "serving".
        serve.env(
            "DBT_GATEWAY__LOG__FILTER",
            format!("{filter},dbt_gateway::commands::serve=info"),
        );
        let mut gateway = Gateway::start(serve);
        let fault = site.dbt.add_fault(Fault::everywhere().status(500));
        let answer = caller.get(&gateway, "/projects").await.unwrap();
        site.dbt.remove_fault(fault);
        assert_eq!(answer.status, 502);
        let line: Value = serde_json::from_str(&gateway.wait_for_line("\"level\":\"ERROR\"")).unwrap();
        assert_eq!(line["spans"][0]["request.uuid"], answer.request_id, "{filter}");
        let lines = gateway.log();
        let lines_json: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let most = lines_json
            .iter()
            .filter_map(|line| Some(line["spans"].as_array()?.len()))
            .max();
        assert!(most >= Some(spans), "{filter}: {lines}");
        gateway.stop();
    }
}

#[tokio::test]
async fn a_serving_process_creates_partitions_ahead() {
    let site = Site::new().await;
    let gateway = site.serve();
    let days = eventually("partitions for today and two more days", async || {
        let days = site.rows(
            "SELECT (now() AT TIME ZONE 'UTC')::date + n AS day FROM generate_series(0, 2) n
             WHERE to_regclass('request_log_' || to_char((now() AT TIME ZONE 'UTC')::date + n, 'YYYYMMDD')) IS NOT NULL",
        );
        (days.len() == 3).then_some(days)
    })
    .await;
    assert!(days[2]["day"].is_string());
    gateway.stop();
}

#[tokio::test]
async fn shutdown_waits_for_the_trigger_in_flight_and_its_row() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let gateway = site.serve();
    let slow = site.dbt.add_fault(Fault::on("POST", "/api/v2/").delay_after_ms(1_000));
    let (answer, ()) = tokio::join!(caller.trigger(&gateway, acme::NIGHTLY_JOB_ID), async {
        eventually("the trigger at dbt Cloud", async || {
            (!site.dbt.requests_to("POST", "/api/v2/").is_empty()).then_some(())
        })
        .await;
        gateway.signal("TERM");
    });
    site.dbt.remove_fault(slow);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 201);
    gateway.stop();

    let gateway = site.serve();
    let rows = site.rows("SELECT request_uuid, outcome FROM request_log WHERE request_type = 'trigger_job'");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["request_uuid"], &rows[0]["outcome"]),
        (&answer.request_id.into(), &"succeeded".into())
    );
    let ended = site.rows("SELECT count(*) AS n FROM instance WHERE ended_at IS NOT NULL");
    assert_eq!(ended[0]["n"], 1, "the stopped process recorded its end");
    gateway.stop();
}

#[tokio::test]
async fn a_caller_that_disconnects_does_not_stop_its_trigger_and_its_row_is_closed() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let gateway = site.serve();
    site.dbt.add_fault(Fault::on("POST", "/api/v2/").delay_after_ms(300));
    {
        let trigger = caller.trigger(&gateway, acme::NIGHTLY_JOB_ID);
        tokio::pin!(trigger);
        let reached = eventually("the trigger at dbt Cloud", async || {
            (!site.dbt.requests_to("POST", "/api/v2/").is_empty()).then_some(())
        });
        tokio::select! {
            _ = &mut trigger => panic!("answered too early"),
            () = reached => {}
        }
    }
    let row = eventually("the closed row", async || {
        site.rows("SELECT outcome, run_id FROM request_log WHERE request_type = 'trigger_job' AND outcome IS NOT NULL")
            .pop()
    })
    .await;
    assert_eq!(row["outcome"], "succeeded");
    assert!(row["run_id"].is_number(), "{row}");
    gateway.stop();
}
