//! The TLS listener: HTTP/2 and HTTP/1.1, and the faults that only HTTP/2 has.

use std::error::Error as _;
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, Method, Version};
use serde_json::json;
use simulator::{Config, Effect, Fault, Simulator, acme};
use tokio::time::timeout;

use crate::support::{TestSimulator, client, v2};

/// Only against a test that hangs.
const LONG: Duration = Duration::from_secs(20);

fn trigger_path() -> String {
    v2(&format!("jobs/{}/run/", acme::NIGHTLY_JOB_ID))
}

fn trusting(pem: &str) -> reqwest::ClientBuilder {
    let _ = client();
    Client::builder()
        .no_proxy()
        .retry(reqwest::retry::never())
        .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()])
}

async fn start() -> TestSimulator {
    let running = Simulator::start(Config::frozen().with_tls()).await.unwrap();
    let client = trusting(running.ca_pem().unwrap()).build().unwrap();
    TestSimulator {
        running,
        client,
        token: acme::TOKEN,
    }
}

fn request(dbt: &TestSimulator, method: Method, path: &str) -> reqwest::RequestBuilder {
    let url = format!("{}{path}", dbt.running.tls_url().unwrap());
    dbt.client
        .request(method, url)
        .header("authorization", format!("Token {}", dbt.token))
}

fn trigger(dbt: &TestSimulator) -> reqwest::RequestBuilder {
    request(dbt, Method::POST, &trigger_path()).json(&json!({ "cause": "x" }))
}

/// The HTTP/2 error of a failed request.
fn h2_error(error: &reqwest::Error) -> &h2::Error {
    std::iter::successors(error.source(), |&cause| cause.source())
        .find_map(|cause| cause.downcast_ref())
        .unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn the_client_chooses_http2_or_http1_and_gets_the_same_answer() {
    let dbt = start().await;
    let http1 = trusting(dbt.running.ca_pem().unwrap()).http1_only().build().unwrap();
    let mut bodies = Vec::new();
    for (client, version) in [(dbt.client.clone(), Version::HTTP_2), (http1, Version::HTTP_11)] {
        let url = format!("{}{}", dbt.running.tls_url().unwrap(), v2("jobs/?limit=3"));
        let answer = client
            .get(url)
            .header("authorization", format!("Token {}", acme::TOKEN))
            .send()
            .await
            .unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (version, 200));
        assert!(answer.content_length().is_some());
        bodies.push(answer.text().await.unwrap());
    }
    assert_eq!(bodies[0], bodies[1]);
    assert!(
        dbt.running
            .requests()
            .iter()
            .all(|request| request.header("host").is_some())
    );
}

#[tokio::test]
async fn links_in_answers_have_the_scheme_of_the_connection() {
    let dbt = start().await;
    let run = request(&dbt, Method::GET, &v2(&format!("runs/{}/", acme::SUCCEEDED_RUN_ID)));
    let run: serde_json::Value = run.send().await.unwrap().json().await.unwrap();
    let href = run["data"]["href"].as_str().unwrap();
    assert!(href.starts_with(&dbt.running.tls_url().unwrap()), "{href}");
}

#[tokio::test]
async fn the_certificate_is_written_to_the_named_file() {
    let folder = std::env::temp_dir().join(format!("simulator-ca-{}", std::process::id()));
    let config = Config {
        ca_file: Some(folder.clone()),
        ..Config::frozen().with_tls()
    };
    let running = Simulator::start(config).await.unwrap();
    assert_eq!(std::fs::read_to_string(&folder).unwrap(), running.ca_pem().unwrap());
    std::fs::remove_file(folder).unwrap();
}

#[tokio::test]
async fn goaway_names_the_last_stream_and_later_ones_are_not_processed() {
    let dbt = start().await;
    dbt.running
        .change_switches(|switches| switches.h2_goaway_after = Some(5));
    // The first opens the connection, so that the others share it.
    assert_eq!(trigger(&dbt).send().await.unwrap().status(), 200);
    // Slower than the GOAWAY, so that all of them are sent before it arrives.
    dbt.running.add_fault(Fault::everywhere().delay_before_ms(50));
    let answers = timeout(LONG, join_all((0..8).map(|_| trigger(&dbt).send())))
        .await
        .unwrap();
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    // A request that meets the closing connection before it was sent goes to a new one.
    assert!(answered.len() >= 4, "{}", answered.len());
    for error in refused.into_iter().map(Result::unwrap_err) {
        let error = h2_error(&error);
        assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    }
    assert_eq!(
        dbt.running.requests_to("POST", &trigger_path()).len(),
        1 + answered.len()
    );
}

#[tokio::test]
async fn a_refused_stream_is_neither_recorded_nor_worked_on_and_the_connection_lives() {
    let dbt = start().await;
    dbt.running
        .add_fault(Fault::on("POST", &trigger_path()).every(2).times(2).refuse_stream());
    let mut refused = Vec::new();
    for _ in 0..6 {
        let sent = trigger(&dbt).send().await;
        refused.push(sent.is_err());
        if let Err(error) = sent {
            assert_eq!(h2_error(&error).reason(), Some(h2::Reason::REFUSED_STREAM));
            assert!(h2_error(&error).is_remote() && h2_error(&error).is_reset());
        }
    }
    assert_eq!(refused, [false, true, false, true, false, false]);
    assert_eq!(dbt.running.requests_to("POST", &trigger_path()).len(), 4);
}

#[tokio::test]
async fn faults_break_tls_connections_too() {
    let dbt = start().await;
    for fault in [Fault::everywhere().reset_before(), Fault::everywhere().reset_after()] {
        dbt.running.add_fault(fault.once());
        timeout(LONG, trigger(&dbt).send()).await.unwrap().unwrap_err();
    }
    let cut = Effect::Truncate { keep_bytes: Some(10) };
    dbt.running.add_fault(Fault::everywhere().once().effect(cut));
    let answer = request(&dbt, Method::GET, &v2("jobs/")).send().await.unwrap();
    answer.bytes().await.unwrap_err();
    assert_eq!(trigger(&dbt).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stalled_stream_sends_its_head_and_no_more_while_others_go_on() {
    let dbt = start().await;
    let stall = Effect::Stall { keep_bytes: 7 };
    dbt.running.add_fault(Fault::everywhere().once().effect(stall));
    let mut stalled = request(&dbt, Method::GET, &v2("jobs/")).send().await.unwrap();
    assert_eq!(stalled.chunk().await.unwrap().unwrap().len(), 7);
    for _ in 0..3 {
        let other = timeout(LONG, request(&dbt, Method::GET, &v2("jobs/?limit=1")).send()).await;
        assert_eq!(other.unwrap().unwrap().status(), 200);
    }
    // Causality instead of time: the others were answered meanwhile.
    assert!(futures::FutureExt::now_or_never(stalled.chunk()).is_none());
}

#[tokio::test]
async fn a_body_larger_than_the_windows_arrives_whole() {
    let dbt = start().await;
    dbt.running.change_switches(|switches| {
        switches.h2_stream_window = 1_000;
        switches.h2_connection_window = 2_000;
        switches.h2_window_update_delay_ms = 1;
    });
    let cause = "c".repeat(20_000);
    let trigger = request(&dbt, Method::POST, &trigger_path()).json(&json!({ "cause": cause }));
    // Too long a cause, which shows that it was read.
    assert_eq!(timeout(LONG, trigger.send()).await.unwrap().unwrap().status(), 400);
    assert_eq!(dbt.running.requests()[0].json()["cause"], cause);
}

#[tokio::test]
async fn streams_beyond_the_maximum_wait_for_others() {
    let dbt = start().await;
    dbt.running.change_switches(|switches| switches.h2_max_streams = 1);
    let stall = Effect::Stall { keep_bytes: 0 };
    dbt.running.add_fault(Fault::everywhere().once().effect(stall));
    let stalled = request(&dbt, Method::GET, &v2("jobs/")).send().await.unwrap();
    let waiting = tokio::spawn(request(&dbt, Method::GET, &v2("jobs/?limit=1")).send());
    // The round trip of another connection: time enough for the second request to arrive, were it sent.
    dbt.v2("jobs/?limit=2").await;
    assert!(!waiting.is_finished());
    drop(stalled);
    assert_eq!(timeout(LONG, waiting).await.unwrap().unwrap().unwrap().status(), 200);
}
