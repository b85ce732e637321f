//! Long answers: handed on as they come, on record before the first byte, never ended as if they were whole.

use model::Role;
use serde_json::json;
use simulator::{Effect, Fault, acme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw;
use super::v2;
use crate::support::TestApp;

fn artifact(name: &str) -> String {
    v2(&format!("/runs/{}/artifacts/simulated/{name}", acme::SUCCEEDED_RUN_ID))
}

async fn closed_row(app: &TestApp) -> serde_json::Value {
    app.row_when(|row| !row["finished_at"].is_null()).await
}

#[tokio::test]
async fn a_long_answer_comes_whole_and_its_row_counts_its_bytes() {
    let app = TestApp::start().await;
    let direct = app
        .http
        .get(format!("{}{}", app.dbt.base_url(), artifact("20MiB.json")));
    let direct = direct
        .header("authorization", format!("Token {}", acme::TOKEN))
        .send()
        .await
        .unwrap();
    let direct = direct.bytes().await.unwrap();
    let viewer = app.viewer();
    let request = viewer.request(reqwest::Method::GET, &artifact("20MiB.json"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let open = app.rows().await.pop().unwrap();
    assert_eq!(open["request_type"], "get_run_artifact");
    let body = answer.bytes().await.unwrap();
    assert!(body == direct, "{} and {} bytes", body.len(), direct.len());
    let row = closed_row(&app).await;
    assert_eq!(
        (&row["outcome"], &row["bytes"]),
        (&json!("succeeded"), &json!(body.len()))
    );
}

#[tokio::test]
async fn an_answer_just_short_enough_is_on_record_whole_before_it_leaves() {
    let app = TestApp::start().await;
    let answer = app.viewer().get(&artifact("250KiB.bin")).await;
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["outcome"], &row["bytes"]),
        (&json!("succeeded"), &json!(250 << 10))
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_the_callers_connection() {
    let app = TestApp::start().await;
    let effect = Effect::Truncate {
        keep_bytes: Some(3 << 20),
    };
    app.dbt.add_fault(Fault {
        effect,
        ..Fault::default()
    });
    let authorization = format!("Token {}", app.key(Role::Viewer));
    let sent = raw::request(
        "GET",
        &artifact("20MiB.bin"),
        &[("Authorization", &authorization)],
        None,
    );
    let answers = raw::exchange(app.address(), &sent).await;
    assert_eq!(answers[0].status, 200);
    assert!(!answers[0].is_whole, "{} bytes", answers[0].body.len());
    let row = closed_row(&app).await;
    assert_eq!(row["outcome"], "truncated");
    assert!(row["bytes"].as_i64().unwrap() > 256 << 10, "{row:#}");
}

#[tokio::test]
async fn a_short_answer_that_breaks_off_is_a_502() {
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault {
        effect: Effect::Truncate { keep_bytes: Some(10) },
        ..Fault::default()
    });
    let answer = app.viewer().get(&v2("/jobs/")).await;
    super::refusal(&answer, 502);
    assert_eq!(app.row_of(&answer).await["outcome"], "disconnected");
}

#[tokio::test]
async fn a_caller_that_goes_is_on_record() {
    let app = TestApp::start().await;
    let authorization = format!("Token {}", app.key(Role::Viewer));
    let sent = raw::request("GET", &artifact("1GiB.bin"), &[("Authorization", &authorization)], None);
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(&sent).await.unwrap();
    let mut some = vec![0; 1 << 20];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    let row = closed_row(&app).await;
    assert_eq!(row["outcome"], "caller_gone");
    assert!(row["bytes"].as_i64().unwrap() < 1 << 30, "{row:#}");
}

#[tokio::test]
async fn a_relayed_trigger_runs_to_its_end_without_its_caller_and_names_its_run() {
    let app = TestApp::start().await;
    let trigger = v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID));
    app.dbt.add_fault(Fault {
        delay_after_ms: 300,
        times: Some(1),
        ..Fault::default()
    });
    let authorization = format!("Token {}", app.key(Role::Operator));
    let body = br#"{"cause": "nobody waits"}"#;
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream
        .write_all(&raw::request("POST", &trigger, &headers, Some(body)))
        .await
        .unwrap();
    while app.dbt.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let row = closed_row(&app).await;
    assert_eq!(
        (&row["outcome"], &row["job_id"]),
        (&json!("succeeded"), &json!(acme::NIGHTLY_JOB_ID))
    );
    let run = row["run_id"].as_i64().unwrap();
    let answer = app.viewer().get(&v2(&format!("/runs/{run}/"))).await;
    assert_eq!(answer.expect(200)["data"]["id"], run);
}
