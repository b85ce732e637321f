//! Long answers: streamed, logged before the first byte, and never ended cleanly when incomplete.

use model::Role;
use serde_json::json;
use simulator::{Effect, Fault, acme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw_http;
use super::v2;
use crate::support::TestApp;

fn artifact(name: &str) -> String {
    v2(&format!("/runs/{}/artifacts/simulated/{name}", acme::SUCCEEDED_RUN_ID))
}

async fn closed_row(app: &TestApp) -> serde_json::Value {
    app.row_when(|row| !row["finished_at"].is_null()).await
}

#[tokio::test]
async fn a_long_answer_is_streamed_completely_and_its_row_has_the_byte_count() {
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
async fn the_row_of_a_collected_answer_is_closed_before_the_answer_is_sent() {
    let app = TestApp::start().await;
    let answer = app.viewer().get(&artifact("250KiB.bin")).await;
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["outcome"], &row["bytes"]),
        (&json!("succeeded"), &json!(250 << 10))
    );
}

#[tokio::test]
async fn an_interrupted_long_answer_aborts_the_connection_of_the_caller() {
    let app = TestApp::start().await;
    let effect = Effect::Truncate {
        keep_bytes: Some(3 << 20),
    };
    app.dbt.add_fault(Fault {
        effect,
        ..Fault::default()
    });
    let authorization = format!("Token {}", app.key(Role::Viewer));
    let sent = raw_http::request(
        "GET",
        &artifact("20MiB.bin"),
        &[("Authorization", &authorization)],
        None,
    );
    let answers = raw_http::exchange(app.address(), &sent).await;
    assert_eq!(answers[0].status, 200);
    assert!(!answers[0].is_whole, "{} bytes", answers[0].body.len());
    let row = closed_row(&app).await;
    assert_eq!(row["outcome"], "truncated");
    assert!(row["bytes"].as_i64().unwrap() > 256 << 10, "{row:#}");
}

#[tokio::test]
async fn an_interrupted_short_answer_is_a_502() {
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
async fn a_caller_that_disconnects_is_logged_as_caller_gone() {
    let app = TestApp::start().await;
    let authorization = format!("Token {}", app.key(Role::Viewer));
    let sent = raw_http::request("GET", &artifact("1GiB.bin"), &[("Authorization", &authorization)], None);
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(&sent).await.unwrap();
    let mut start = vec![0; 1 << 20];
    stream.read_exact(&mut start).await.unwrap();
    drop(stream);
    let row = closed_row(&app).await;
    assert_eq!(row["outcome"], "caller_gone");
    assert!(row["bytes"].as_i64().unwrap() < 1 << 30, "{row:#}");
}

#[tokio::test]
async fn a_relayed_trigger_completes_after_its_caller_disconnects_and_its_row_names_the_run() {
    let app = TestApp::start().await;
    let trigger = v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID));
    app.dbt.add_fault(Fault {
        delay_after_ms: 300,
        times: Some(1),
        ..Fault::default()
    });
    let authorization = format!("Token {}", app.key(Role::Operator));
    let body = br#"{"cause": "a test"}"#;
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream
        .write_all(&raw_http::request("POST", &trigger, &headers, Some(body)))
        .await
        .unwrap();
    app.dbt_received(1, "POST").await;
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
