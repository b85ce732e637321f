//! Callers that stop reading, and streams that stop sending, hold up only themselves.

use std::time::Duration;

use dbt_api::HttpSettings;
use model::Role;
use rstest::rstest;
use serde_json::json;
use simulator::{Effect, Fault, acme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LONG, setup, trigger, triggers};
use crate::relay::{raw_http, v2};
use crate::support::{Setup, TestApp};

/// More than all buffers on its way.
const ARTIFACT: &str = "simulated/1GiB.bin";
/// Quick requests beside the slow ones.
const ROUNDS: usize = 25;

/// Begins a download and then reads no more. Each has a small receive buffer, so that it stalls soon.
async fn stalled_reader(app: &TestApp) -> TcpStream {
    let authorization = format!("Token {}", app.key(Role::Viewer));
    let path = v2(&format!("/runs/{}/artifacts/{ARTIFACT}", acme::SUCCEEDED_RUN_ID));
    let request = raw_http::request("GET", &path, &[("Authorization", &authorization)], None);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(app.address()).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut beginning = vec![0; 64 << 10];
    stream.read_exact(&mut beginning).await.unwrap();
    stream
}

/// Relayed reads and triggers are answered while the readers are stalled.
async fn others_are_answered(app: &TestApp) {
    let before = triggers(app);
    let others = async {
        for _ in 0..ROUNDS {
            app.viewer().get(&v2("/jobs/?limit=1")).await.expect(200);
            app.viewer().get("/projects").await.expect(200);
            app.operator()
                .post(&trigger(), &json!({"cause": "beside"}))
                .await
                .expect(201);
        }
    };
    timeout(LONG, others).await.expect("held up by the slow readers");
    assert_eq!(triggers(app), before + ROUNDS);
}

async fn open_downloads(app: &TestApp) -> usize {
    let rows = app.rows().await;
    rows.iter()
        .filter(|row| row["request_type"] == "get_run_artifact" && row["finished_at"].is_null())
        .count()
}

#[rstest]
#[case::a_few(4, HttpSettings::default().max_streams_per_connection)]
#[case::many(40, HttpSettings::default().max_streams_per_connection)]
#[case::more_than_a_connection_takes(6, 2)]
#[tokio::test]
async fn readers_that_stop_reading_hold_up_no_other_request(#[case] readers: usize, #[case] streams: usize) {
    let setup = setup();
    let app = Setup {
        http: HttpSettings {
            max_streams_per_connection: streams,
            ..setup.http.clone()
        },
        ..setup
    };
    let app = app.start().await;
    // The server permits no more streams than the gateway uses.
    let max_streams = u32::try_from(streams).unwrap();
    app.dbt
        .change_switches(|switches| switches.h2_max_streams = max_streams);
    others_are_answered(&app).await;
    let mut stalled = Vec::new();
    for _ in 0..readers {
        let reader = timeout(LONG, stalled_reader(&app)).await;
        stalled.push(reader.expect("held up by the readers before it"));
    }

    others_are_answered(&app).await;

    assert_eq!(open_downloads(&app).await, readers, "still under way");
    drop(stalled);
}

#[tokio::test]
async fn a_stream_that_stops_sending_ends_at_the_read_timeout_and_others_go_on() {
    let setup = setup();
    let app = Setup {
        http: HttpSettings {
            read_timeout: Duration::from_secs(3),
            ..setup.http.clone()
        },
        ..setup
    };
    let app = app.start().await;
    let path = v2(&format!(
        "/runs/{}/artifacts/simulated/1MiB.bin",
        acme::SUCCEEDED_RUN_ID
    ));
    let stall = Effect::Stall { keep_bytes: 600 << 10 };
    app.dbt.add_fault(Fault::on("GET", &path).once().effect(stall));
    let viewer = app.viewer();
    let mut stalled = viewer.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(stalled.status(), 200);

    for _ in 0..ROUNDS {
        app.viewer().get(&v2("/jobs/?limit=1")).await.expect(200);
    }

    let cut = async {
        while stalled.chunk().await?.is_some() {}
        Ok::<_, reqwest::Error>(())
    };
    timeout(LONG, cut).await.unwrap().unwrap_err();
    let row = app.row_when(|row| row["request_type"] == "list_jobs").await;
    assert_eq!(row["outcome"], "succeeded");
    let rows = app.rows().await;
    let stalled = rows
        .iter()
        .find(|row| row["request_type"] == "get_run_artifact")
        .unwrap();
    assert_eq!(stalled["outcome"], "truncated", "{stalled:#}");
    assert!(
        stalled["error"].as_str().unwrap().contains("did not answer in time"),
        "{stalled:#}"
    );
}

#[tokio::test]
async fn an_answer_that_stalls_before_it_is_collected_is_a_timeout() {
    let setup = setup();
    let app = Setup {
        http: HttpSettings {
            read_timeout: Duration::from_millis(300),
            ..setup.http.clone()
        },
        ..setup
    };
    let app = app.start().await;
    let stall = Effect::Stall { keep_bytes: 10 };
    app.dbt.add_fault(Fault::on("GET", "/api/").once().effect(stall));
    let answer = timeout(LONG, app.viewer().get("/projects")).await.unwrap();
    answer.problem(504, "dbt-timeout");
}
