//! Request bodies that come slowly, never, or encoded: none of them takes a place among the requests under way.

use std::net::SocketAddr;
use std::time::Duration;

use model::Role;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, RETRY_AFTER};
use serde_json::json;
use simulator::acme;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Setup, TestApp};

/// Sends the head of a request and a part of its body.
async fn begin(address: SocketAddr, path: &str, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"query\":"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn with_one_place(body_timeout: Duration) -> TestApp {
    let mut setup = Setup::default();
    setup.shares.max_requests = 1;
    setup.server.body_timeout = body_timeout;
    setup.start().await
}

#[tokio::test]
async fn bodies_that_never_come_hold_no_place() {
    let app = with_one_place(Duration::from_hours(1)).await;
    let mut streams = Vec::new();
    for path in [
        "/metadata/query",
        "/graphql",
        "/runs/1/cancel",
        "/projects",
        "/no-such-route",
    ] {
        streams.push(begin(app.address(), path, app.key(Role::Viewer)).await);
    }
    for _ in 0..20 {
        assert_eq!(app.viewer().get("/projects").await.status, 200);
    }
    let mut unanswered = [0];
    for stream in &streams {
        let read = stream.try_read(&mut unanswered).map_err(|error| error.kind());
        assert_eq!(read, Err(std::io::ErrorKind::WouldBlock), "its body is awaited");
    }
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_refused_in_the_form_of_its_surface() {
    let app = with_one_place(Duration::from_millis(100)).await;
    for (path, expected) in [
        ("/metadata/query", "\"type\":\"/problems/body-too-slow\""),
        ("/graphql", "{\"errors\":[{\"message\":\"The body took longer than"),
    ] {
        let mut stream = begin(app.address(), path, app.key(Role::Viewer)).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
        assert!(answer.contains("server.body_timeout_secs"), "{answer}");
        assert!(answer.contains("dbt Cloud was not contacted"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
    }
    assert!(app.dbt.requests().is_empty());
    assert!(app.rows().await.is_empty());
}

#[tokio::test]
async fn a_key_that_is_revoked_while_its_body_arrives_starts_nothing() {
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let created = admin.post("/api-keys", &json!({"name": "x", "role": "operator"})).await;
    let created = created.expect(201);
    let (path, body) = (
        format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID),
        json!({"cause": "late"}).to_string(),
    );
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        created["key"].as_str().unwrap(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The key was accepted: the body is awaited.
    let mut interim = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 "));

    let revoked = admin.delete(&format!("/api-keys/{}", created["id"])).await;
    assert_eq!(revoked.status, 204);
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn without_a_valid_key_a_body_is_not_read() {
    let app = with_one_place(Duration::from_hours(1)).await;
    for path in ["/metadata/query", "/api/v2/accounts/1/jobs/"] {
        let mut stream = begin(app.address(), path, "dgw_no_key").await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{path}");
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused_on_both_surfaces_and_identity_is_not() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let relayed = format!(
        "/api/v2/accounts/{}/jobs/{}/run/",
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    );
    for path in [format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID), relayed] {
        let send = async |encoding: &str| {
            let request = operator.request(Method::POST, &path).json(&json!({"cause": "a test"}));
            operator.send(request.header(CONTENT_ENCODING, encoding)).await
        };
        let before = app.dbt.requests().len();
        for encoding in ["gzip", "identity, gzip", "br"] {
            let refused = send(encoding).await;
            assert_eq!(refused.status, 415, "{path} {encoding}");
            assert!(refused.text.contains("without `Content-Encoding`"), "{}", refused.text);
        }
        assert_eq!(app.dbt.requests().len(), before, "dbt Cloud was not contacted");
        assert!(send("identity").await.status.is_success(), "{path}");
    }
}

#[tokio::test]
async fn unknown_keys_of_an_address_are_limited_and_valid_keys_work_on() {
    let mut setup = Setup::default();
    setup.addresses.failed_keys_per_minute = 3;
    let app = setup.start().await;
    assert_eq!(app.viewer().get("/projects").await.status, 200);
    for number in 0..3 {
        let caller = app.with_key(&format!("dgw_{number}"));
        caller.get("/projects").await.problem(401, "unauthenticated");
    }
    for key in ["dgw_3", "anything"] {
        let refused = app.with_key(key).get("/projects").await;
        let problem = refused.problem(429, "too-many-failed-keys");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("limits.failed_keys_per_minute")
        );
        let wait: u64 = refused.header(RETRY_AFTER).unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    for _ in 0..5 {
        assert_eq!(app.viewer().get("/projects").await.status, 200);
    }
}

#[tokio::test]
async fn requests_of_an_address_behind_a_proxy_are_limited() {
    let mut setup = Setup::default();
    setup.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    setup.addresses.max_requests = 1;
    let app = setup.start().await;
    let viewer = app.viewer();
    let from = |path: &str, address: &'static str| viewer.request(Method::GET, path).header("x-forwarded-for", address);
    let slow = app
        .dbt
        .add_fault(simulator::Fault::everywhere().delay_before_ms(600_000));
    let blocked = viewer.send(from("/accounts", "192.0.2.1"));
    let meanwhile = async {
        while app.dbt.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        app.dbt.remove_fault(slow);
        let refused = viewer.send(from("/projects", "10.0.0.1, 192.0.2.1")).await;
        let problem = refused.problem(503, "busy");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("limits.max_connections_per_address")
        );
        assert_eq!(refused.header(RETRY_AFTER), Some("1"));
        assert_eq!(viewer.send(from("/projects", "192.0.2.2")).await.status, 200);
        let probe = viewer
            .request(Method::GET, "/healthz")
            .header("x-forwarded-for", "192.0.2.1");
        assert_eq!(viewer.send(probe).await.status, 200);
    };
    tokio::select! {
        _ = blocked => panic!("answered too early"),
        () = meanwhile => {}
    }
}
