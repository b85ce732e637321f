//! Request framing: a body is collected and framed anew, and no request on a connection bypasses the checks.

use std::fmt::Write as _;

use model::Role;
use simulator::acme;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw_http;
use crate::support::{Setup, TestApp};

fn head(app: &TestApp, path: &str, framing: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Token {}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n",
        app.key(Role::Operator)
    )
}

fn trigger() -> String {
    super::v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID))
}

const CAUSE: &str = r#"{"cause": "chunked"}"#;

#[tokio::test]
async fn a_chunked_body_is_collected_and_sent_with_its_length() {
    let app = TestApp::start().await;
    let mut request = head(
        &app,
        &trigger(),
        "Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late",
    );
    for chunk in [&CAUSE[..1], &CAUSE[1..7], &CAUSE[7..]] {
        write!(request, "{:x};ext=1\r\n{chunk}\r\n", chunk.len()).unwrap();
    }
    request.push_str("0\r\nX-Late: 1\r\n\r\n");
    let answers = raw_http::exchange(app.address(), request.as_bytes()).await;
    assert_eq!(answers[0].status, 200, "{}", String::from_utf8_lossy(&answers[0].body));
    let received = app.dbt.requests().pop().unwrap();
    assert_eq!(received.body, CAUSE);
    assert_eq!(received.header("content-length"), Some(&*CAUSE.len().to_string()));
    assert_eq!(
        (received.header("transfer-encoding"), received.header("x-late")),
        (None, None)
    );
}

#[tokio::test]
async fn expect_100_continue_is_answered_by_the_gateway_and_not_sent_to_dbt() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let framing = format!(
        "Connection: close\r\nExpect: 100-continue\r\nContent-Length: {}",
        CAUSE.len()
    );
    stream
        .write_all(head(&app, &trigger(), &framing).as_bytes())
        .await
        .unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(app.dbt.requests().is_empty());
    stream.write_all(CAUSE.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(raw_http::answers(&rest)[0].status, 200);
    let received = app.dbt.requests().pop().unwrap();
    assert_eq!(
        (received.body.as_ref(), received.header("expect")),
        (CAUSE.as_bytes(), None)
    );
}

#[tokio::test]
async fn a_refused_request_gets_no_100_continue() {
    let app = TestApp::start().await;
    let framing = "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 5";
    let request = head(&app, &trigger(), framing).replace("Token dgw", "Token xdgw");
    let answers = raw_http::exchange(app.address(), request.as_bytes()).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [401]);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_with_either_framing() {
    let mut setup = Setup::default();
    setup.server.max_body_bytes = 1000;
    let app = setup.start().await;
    let large = "x".repeat(1001);
    let plain = head(&app, &trigger(), "Connection: close\r\nContent-Length: 1001") + &large;
    let chunked = head(&app, &trigger(), "Connection: close\r\nTransfer-Encoding: chunked")
        + &format!("200\r\n{}\r\n1e9\r\n{}\r\n0\r\n\r\n", &large[..512], &large[512..]);
    for request in [plain, chunked] {
        let answers = raw_http::exchange(app.address(), request.as_bytes()).await;
        assert_eq!(answers[0].status, 413);
        let body: serde_json::Value = serde_json::from_slice(&answers[0].body).unwrap();
        assert_eq!(
            body["status"]["user_message"],
            "The body is larger than server.max_body_bytes."
        );
    }
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn an_incomplete_body_is_not_sent() {
    let app = TestApp::start().await;
    for (framing, body) in [
        ("Content-Length: 100", "{\"cause\":"),
        ("Transfer-Encoding: chunked", "5\r\n{\"cau\r\n"),
        ("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        let request = head(&app, &trigger(), framing) + body;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received).await;
        for answer in raw_http::answers(&received) {
            assert_eq!(answer.status, 400, "{framing}");
        }
    }
    assert!(app.dbt.requests().is_empty());
}

/// With conflicting framing headers, a second request in the body is either part of the body or checked like any other.
#[tokio::test]
async fn no_smuggled_request_bypasses_the_checks() {
    let app = TestApp::start().await;
    let smuggled = format!(
        "GET /api/v3/accounts/{}/service-tokens/ HTTP/1.1\r\nHost: gateway.test\r\nX-Rest: ",
        acme::ACCOUNT_ID
    );
    let chunk_then = |after: &str| format!("0\r\n\r\n{after}");
    let cases = [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", smuggled.len() + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}", smuggled.len() + 5),
        "Content-Length: 5\r\nContent-Length: 50".to_owned(),
        "Content-Length: 5, 50".to_owned(),
        "Content-Length: +5".to_owned(),
        "Content-Length: 0x5".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: identity, chunked, chunked".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding:\x0bchunked".to_owned(),
        "X: y\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow".to_owned(),
        " Transfer-Encoding: chunked".to_owned(),
    ];
    for framing in &cases {
        let before = app.dbt.requests().len();
        let request = head(&app, &trigger(), framing) + &chunk_then(&smuggled);
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received).await;
        let at_dbt: Vec<_> = app.dbt.requests().split_off(before);
        assert!(at_dbt.len() <= 1, "{framing:?}: {at_dbt:#?}");
        for each in &at_dbt {
            assert_eq!(each.target, trigger(), "{framing:?}");
            assert!(
                !String::from_utf8_lossy(&each.body).contains("service-tokens"),
                "{framing:?}"
            );
            assert_eq!(each.header("transfer-encoding"), None, "{framing:?}");
            let lengths: Vec<_> = each
                .headers
                .iter()
                .filter(|(name, _)| name == "content-length")
                .collect();
            assert_eq!(lengths.len(), 1, "{framing:?}");
            assert_eq!(lengths[0].1, each.body.len().to_string(), "{framing:?}");
        }
    }
    let tokens = app.dbt.requests_to("GET", "/api/v3/");
    assert!(tokens.is_empty(), "{tokens:#?}");
}
