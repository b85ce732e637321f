//! Keys and their forms, roles, read-only mode; unknown routes and wrong methods.

use chrono::TimeDelta;
use model::Role;
use reqwest::Method;
use reqwest::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use serde_json::json;
use simulator::acme;

use crate::support::{Setup, TestApp};

fn trigger() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

#[tokio::test]
async fn a_key_is_accepted_with_either_scheme_in_any_case() {
    let app = TestApp::start().await;
    let key = app.key(Role::Viewer);
    for scheme in ["Bearer", "bearer", "BEARER", "Token", "token", "tOKEN"] {
        let request = app.without_key().request(Method::GET, "/projects");
        let answer = app
            .without_key()
            .send(request.header(AUTHORIZATION, format!("{scheme} {key}")))
            .await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_request_without_a_valid_key_is_a_401_without_a_row() {
    let app = TestApp::start().await;
    let key = app.key(Role::Admin);
    let mangled = key.replace("dgw_", "dgw-");
    let last = if key.ends_with('0') { '1' } else { '0' };
    let almost = format!("{}{last}", &key[..key.len() - 1]);
    let caller = app.without_key();
    let request = || caller.request(Method::GET, "/projects");
    let with = |value: &str| request().header(AUTHORIZATION, value);
    let requests = [
        ("no header", request()),
        ("no scheme", with(key)),
        ("no key", with("Bearer")),
        ("an empty key", with("Bearer ")),
        ("another scheme", with(&format!("Basic {key}"))),
        ("a scheme too many", with(&format!("Bearer Token {key}"))),
        ("two in one", with(&format!("Bearer {key}, Bearer {key}"))),
        (
            "two headers",
            with(&format!("Bearer {key}")).header(AUTHORIZATION, format!("Token {key}")),
        ),
        ("garbage", request().header(AUTHORIZATION, &b"Bearer \xff\xfe"[..])),
        ("a mangled key", with(&format!("Bearer {mangled}"))),
        ("a key in upper case", with(&format!("Bearer {}", key.to_uppercase()))),
        ("almost a key", with(&format!("Bearer {almost}"))),
        ("a dbt token", with(&format!("Token {}", acme::TOKEN))),
        (
            "in the query",
            caller.request(Method::GET, &format!("/projects?api_key={key}")),
        ),
    ];
    for (what, request) in requests {
        let answer = caller.send(request).await;
        let problem = answer.problem(401, "unauthenticated");
        assert_eq!(
            problem["detail"],
            "Send a valid gateway key as `Authorization: Bearer <key>`. A dbt token is not a gateway key.",
            "{what}"
        );
        assert_eq!(answer.header(WWW_AUTHENTICATE), Some("Bearer"), "{what}");
    }
    assert!(app.dbt.requests().is_empty());
    assert_eq!(app.rows().await.len(), 0);
}

#[tokio::test]
async fn a_revoked_or_expired_key_is_refused() {
    let app = TestApp::start().await;
    let revoked = app.create_key(crate::support::COMPANY, Role::Admin).await;
    app.update_key(&revoked, "revoked_at = now()").await;
    app.with_key(&revoked)
        .get("/projects")
        .await
        .problem(401, "unauthenticated");

    let expiring = app.create_key(crate::support::COMPANY, Role::Admin).await;
    app.update_key(&expiring, "expires_at = to_timestamp(1768467610)").await;
    assert_eq!(app.with_key(&expiring).get("/projects").await.status, 200);
    app.clock.advance(TimeDelta::seconds(10));
    app.with_key(&expiring)
        .get("/projects")
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn viewers_read_and_operators_and_admins_trigger() {
    let app = TestApp::start().await;
    for role in Role::ALL {
        assert_eq!(app.caller(role).get("/projects").await.status, 200, "{role}");
    }
    let body = json!({"cause": "x"});
    let refused = app.viewer().post(&trigger(), &body).await;
    let problem = refused.problem(403, "forbidden");
    assert_eq!(
        problem["detail"],
        "This needs a key with the role operator; yours is viewer."
    );
    assert!(app.dbt.requests_to("POST", "/").is_empty());
    for role in [Role::Operator, Role::Admin] {
        assert_eq!(app.caller(role).post(&trigger(), &body).await.status, 201, "{role}");
    }
}

#[tokio::test]
async fn a_read_only_gateway_refuses_changes_of_admins_too() {
    let app = Setup {
        read_only: true,
        ..Setup::default()
    }
    .start()
    .await;
    let refused = app.caller(Role::Admin).post(&trigger(), &json!({"cause": "x"})).await;
    refused.problem(403, "read-only");
    assert_eq!(app.row_of(&refused).await["outcome"], "refused");
    assert_eq!(app.viewer().get("/projects").await.status, 200);
    assert!(app.dbt.requests_to("POST", "/").is_empty());
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::start().await;
    let head = app.viewer().send(app.viewer().request(Method::HEAD, "/projects")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.header(CONTENT_TYPE), Some("application/json"));
    let row = app.row_of(&head).await;
    assert_eq!(
        (&row["request_type"], &row["outcome"]),
        (&json!("list_projects"), &json!("succeeded"))
    );

    let refused = app
        .without_key()
        .send(app.without_key().request(Method::HEAD, "/projects"))
        .await;
    assert_eq!((refused.status.as_u16(), refused.text.as_str()), (401, ""));
    assert_eq!(refused.header(CONTENT_TYPE), Some("application/problem+json"));
    assert!(!refused.request_uuid().is_empty());
}

#[tokio::test]
async fn an_unknown_route_is_a_404_with_and_without_a_key() {
    let app = TestApp::start().await;
    for path in [
        "/nothing",
        "/projects/1/2",
        "/projects/",
        "/Projects",
        "/apis/v2/accounts/",
        "/docs/nothing.js",
        "//",
    ] {
        for caller in [app.without_key(), app.viewer()] {
            let answer = caller.get(path).await;
            let problem = answer.problem(404, "not-found");
            assert_eq!(problem["instance"], path);
        }
    }
    assert_eq!(app.rows().await.len(), 0);
}

#[tokio::test]
async fn a_wrong_method_is_a_405_with_the_allowed_ones() {
    let app = TestApp::start().await;
    let one_job = trigger();
    for (method, path, allowed) in [
        (Method::POST, "/projects", "GET,HEAD"),
        (Method::DELETE, "/projects/1", "GET,HEAD"),
        (Method::GET, one_job.as_str(), "POST"),
        (Method::PUT, one_job.as_str(), "POST"),
        (Method::POST, "/", "GET,HEAD"),
        (Method::OPTIONS, "/healthz", "GET,HEAD"),
        (Method::POST, "/openapi.json", "GET,HEAD"),
        (Method::DELETE, "/docs/", "GET,HEAD"),
    ] {
        for caller in [app.without_key(), app.viewer()] {
            let answer = caller.send(caller.request(method.clone(), path)).await;
            let problem = answer.problem(405, "method-not-allowed");
            assert_eq!(answer.header(ALLOW), Some(allowed), "{method} {path}");
            assert_eq!(problem["instance"], path);
        }
    }
    assert!(app.dbt.requests().is_empty());
    assert_eq!(app.rows().await.len(), 0);
}
