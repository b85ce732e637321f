//! What browsers and the proxies in front are told: which pages may call us, how an answer is to be treated, and under
//! which address callers see us.

use axum::http::HeaderValue;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use simulator::acme;

use crate::support::{Answer, Setup, TestApp};

const SHOP: &str = "https://shop.acme.example";
const ADMIN: &str = "https://admin.acme.example";
const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

async fn with_origins(origins: &[&'static str]) -> TestApp {
    let mut setup = Setup::default();
    setup.server.cors_origins = origins.iter().map(|each| HeaderValue::from_static(each)).collect();
    setup.server.max_body_bytes = 1000;
    setup.limits.max_url_bytes = 100;
    setup.start().await
}

async fn preflight(app: &TestApp, origin: &str, path: &str) -> Answer {
    let caller = app.stranger();
    let request = caller
        .request(Method::OPTIONS, path)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    caller.send(request).await
}

/// Every kind of answer to a page of that origin: good ones and all kinds of problems.
async fn every_kind(app: &TestApp, origin: &str) -> Vec<Answer> {
    let (viewer, stranger) = (app.viewer(), app.stranger());
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
async fn pages_of_listed_origins_may_ask_and_read_every_answer() {
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
async fn pages_of_other_origins_are_not_let_in() {
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
async fn a_star_lets_every_page_in_and_never_with_cookies() {
    let app = with_origins(&["*"]).await;
    assert_eq!(
        preflight(&app, SHOP, "/projects")
            .await
            .header(ACCESS_CONTROL_ALLOW_ORIGIN),
        Some("*")
    );
    for answer in every_kind(&app, "https://anybody.example").await {
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
    }
}

#[tokio::test]
async fn without_origins_no_page_is_let_in() {
    let app = with_origins(&[]).await;
    let refused = preflight(&app, SHOP, "/projects").await;
    refused.problem(405, "method-not-allowed");
    for answer in every_kind(&app, SHOP).await.iter().chain([&refused]) {
        let cors = |name: &&HeaderName| name.as_str().starts_with("access-control-");
        assert_eq!(answer.headers.keys().find(cors), None);
    }
}

#[tokio::test]
async fn every_answer_is_named_and_says_how_a_browser_is_to_treat_it() {
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

/// The address of the next page, for a request with those headers.
async fn next_page(app: &TestApp, headers: &[(&str, &str)]) -> String {
    let viewer = app.viewer();
    let mut request = viewer.request(Method::GET, "/projects?page_size=2");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let list = viewer.send(request).await.expect(200);
    list["next"].as_str().unwrap().to_owned()
}

async fn behind(proxies: &[&str]) -> TestApp {
    let mut setup = Setup::default();
    setup.server.trusted_proxies = proxies.iter().map(|each| each.parse().unwrap()).collect();
    setup.start().await
}

const PAGE: &str = "/projects?page_size=2&page=2";

#[tokio::test]
async fn links_are_for_the_address_that_a_trusted_proxy_was_asked_for() {
    let app = behind(&["10.0.0.0/8", "127.0.0.0/8"]).await;
    let own = app.url.clone();
    for (headers, base) in [
        (
            &[(PROTO, "https"), (FORWARDED_HOST, "dbt.acme.example")][..],
            "https://dbt.acme.example",
        ),
        (
            &[(PROTO, "HTTPS"), (FORWARDED_HOST, "dbt.acme.example:8443")],
            "https://dbt.acme.example:8443",
        ),
        (
            &[(PROTO, "http"), (FORWARDED_HOST, "dbt.acme.example")],
            "http://dbt.acme.example",
        ),
        (
            &[(PROTO, "https"), (HOST.as_str(), "kept.acme.example")],
            "https://kept.acme.example",
        ),
        // The proxy next to us adds to what its caller claims.
        (
            &[
                (PROTO, "http, https"),
                (FORWARDED_HOST, "evil.example, dbt.acme.example"),
            ],
            "https://dbt.acme.example",
        ),
        (
            &[
                (PROTO, "http"),
                (FORWARDED_HOST, "evil.example"),
                (PROTO, "https"),
                (FORWARDED_HOST, "dbt.acme.example"),
            ],
            "https://dbt.acme.example",
        ),
        // What is no address counts for nothing.
        (&[(PROTO, "gopher"), (FORWARDED_HOST, "dbt.acme.example")], own.as_str()),
        (&[(PROTO, "https"), (FORWARDED_HOST, "two words")], own.as_str()),
        (&[(FORWARDED_HOST, "dbt.acme.example")], own.as_str()),
        (&[], own.as_str()),
    ] {
        assert_eq!(next_page(&app, headers).await, format!("{base}{PAGE}"), "{headers:?}");
    }
}

#[tokio::test]
async fn what_others_claim_about_our_address_counts_for_nothing() {
    for proxies in [&[][..], &["10.0.0.0/8"], &["::1/128"]] {
        let app = behind(proxies).await;
        let claim = [(PROTO, "https"), (FORWARDED_HOST, "evil.example")];
        assert_eq!(
            next_page(&app, &claim).await,
            format!("{}{PAGE}", app.url),
            "{proxies:?}"
        );
    }
}

#[tokio::test]
async fn the_configured_address_settles_the_matter() {
    let mut setup = Setup::default().public_url("https://gateway.acme.example/dbt");
    setup.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let app = setup.start().await;
    let claim = [(PROTO, "http"), (FORWARDED_HOST, "other.example")];
    assert_eq!(
        next_page(&app, &claim).await,
        format!("https://gateway.acme.example/dbt{PAGE}")
    );
}
