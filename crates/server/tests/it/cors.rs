//! Browsers: which pages may send requests, and the security headers of every answer.

use axum::http::HeaderValue;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, ORIGIN, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use simulator::acme;

use crate::support::{Answer, Setup, TestApp};

const SHOP: &str = "https://shop.acme.example";
const ADMIN: &str = "https://admin.acme.example";

async fn with_origins(origins: &[&'static str]) -> TestApp {
    let mut setup = Setup::default();
    setup.server.cors_origins = origins.iter().map(|each| HeaderValue::from_static(each)).collect();
    setup.server.max_body_bytes = 1000;
    setup.limits.max_url_bytes = 100;
    setup.start().await
}

async fn preflight(app: &TestApp, origin: &str, path: &str) -> Answer {
    let caller = app.without_key();
    let request = caller
        .request(Method::OPTIONS, path)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    caller.send(request).await
}

/// Answers of every kind to a page of that origin.
async fn every_kind(app: &TestApp, origin: &str) -> Vec<Answer> {
    let (viewer, stranger) = (app.viewer(), app.without_key());
    let run = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let too_large = json!({"cause": "x", "steps_override": ["y".repeat(1000)]});
    let requests: Vec<RequestBuilder> = vec![
        viewer.request(Method::GET, "/projects"),
        viewer.request(Method::GET, "/projects/1"),
        viewer.request(Method::GET, "/projects?page=0"),
        viewer.request(Method::POST, &run).json(&json!({"cause": "x"})),
        app.operator().request(Method::POST, &run).json(&too_large),
        viewer.request(Method::GET, "/nothing"),
        viewer.request(Method::PUT, "/projects"),
        viewer.request(Method::GET, &format!("/projects?name={}", "x".repeat(100))),
        stranger.request(Method::GET, "/projects"),
        stranger.request(Method::GET, "/healthz"),
        stranger.request(Method::GET, "/openapi.json"),
        stranger.request(Method::GET, "/docs/"),
    ];
    let mut answers = Vec::new();
    for request in requests {
        answers.push(viewer.send(request.header(ORIGIN, origin)).await);
    }
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 404, 400, 403, 413, 404, 405, 414, 401, 200, 200, 200]);
    answers
}

#[tokio::test]
async fn pages_of_listed_origins_can_send_requests_and_read_every_answer() {
    let app = with_origins(&[SHOP, ADMIN]).await;
    for origin in [SHOP, ADMIN] {
        let answer = preflight(&app, origin, "/projects").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), Some(origin));
        let methods = answer.header(ACCESS_CONTROL_ALLOW_METHODS).unwrap();
        assert_eq!(methods, "GET,POST,PATCH,DELETE");
        let headers = answer.header(ACCESS_CONTROL_ALLOW_HEADERS).unwrap();
        assert_eq!(headers, "authorization,content-type,x-request-id,x-dbt-credential");
        for answer in every_kind(&app, origin).await {
            assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), Some(origin), "{answer:#?}");
            let exposed = answer.header(ACCESS_CONTROL_EXPOSE_HEADERS).unwrap();
            assert_eq!(exposed, "x-request-id,location,retry-after");
            let varies = answer.headers.get_all(VARY).iter();
            assert!(
                varies
                    .into_iter()
                    .any(|names| names.to_str().unwrap().contains("origin"))
            );
            assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS), None, "no cookies");
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_not_allowed() {
    let app = with_origins(&[SHOP]).await;
    for origin in [
        "https://evil.example",
        "https://shop.acme.example.evil.example",
        "http://shop.acme.example",
        "https://shop.acme.example:8443",
        "null",
    ] {
        assert_eq!(
            preflight(&app, origin, "/projects")
                .await
                .header(ACCESS_CONTROL_ALLOW_ORIGIN),
            None,
            "{origin}"
        );
        for answer in every_kind(&app, origin).await {
            assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), None, "{origin}");
        }
    }
}

#[tokio::test]
async fn a_star_allows_every_page_but_never_cookies() {
    let app = with_origins(&["*"]).await;
    assert_eq!(
        preflight(&app, SHOP, "/projects")
            .await
            .header(ACCESS_CONTROL_ALLOW_ORIGIN),
        Some("*")
    );
    for answer in every_kind(&app, "https://any.example").await {
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
    }
}

#[tokio::test]
async fn without_origins_no_page_is_allowed() {
    let app = with_origins(&[]).await;
    let refused = preflight(&app, SHOP, "/projects").await;
    refused.problem(405, "method-not-allowed");
    for answer in every_kind(&app, SHOP).await.iter().chain([&refused]) {
        let cors = |name: &&HeaderName| name.as_str().starts_with("access-control-");
        assert_eq!(answer.headers.keys().find(cors), None);
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_security_headers() {
    for origins in [&[SHOP][..], &[]] {
        let app = with_origins(origins).await;
        let mut answers = every_kind(&app, SHOP).await;
        for path in ["/projects", "/nothing", "/docs/"] {
            answers.push(preflight(&app, SHOP, path).await);
        }
        for answer in &answers {
            assert!(!answer.request_uuid().is_empty());
            assert_eq!(answer.header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
            assert_eq!(answer.header(X_FRAME_OPTIONS), Some("DENY"));
            assert_eq!(answer.header(REFERRER_POLICY), Some("no-referrer"));
            assert!(answer.header(CACHE_CONTROL).is_some());
            let policy = answer.header(CONTENT_SECURITY_POLICY).unwrap();
            for part in ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{policy}");
            }
        }
        assert_eq!(answers[0].header(CACHE_CONTROL), Some("no-store"));
    }
}
