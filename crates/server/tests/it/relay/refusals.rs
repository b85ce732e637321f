//! Refusals by the gateway are in dbt's envelope, on every path and for every cause.

use model::Role;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::json;
use server::LimitSettings;
use simulator::acme;

use super::{graphql_refusal, refusal, v2, v3};
use crate::support::{Setup, TestApp};

fn trigger() -> String {
    v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID))
}

#[tokio::test]
async fn every_other_path_below_api_is_a_404() {
    let app = TestApp::start().await;
    for path in [
        "/api",
        "/api/",
        "/api/v1/accounts/",
        "/api/v2",
        "/api/v4/x",
        "/api/private/accounts/1/features/",
        "/api/x",
    ] {
        for caller in [app.viewer(), app.without_key()] {
            let message = refusal(&caller.get(path).await, 404);
            assert!(message.contains("Nothing is relayed at this path"), "{path}: {message}");
        }
    }
    for path in ["/graphql/x", "/beta", "/beta/graphqlx", "/apiv2", "/metadata"] {
        app.viewer().get(path).await.problem(404, "not-found");
    }
    assert!(app.dbt.requests().is_empty() && app.rows().await.is_empty());
}

#[tokio::test]
async fn a_request_without_a_valid_key_is_a_401() {
    let app = TestApp::start().await;
    for caller in [app.without_key(), app.with_key("dgw_1_2")] {
        let answer = caller.get(&v2("/jobs/")).await;
        assert!(refusal(&answer, 401).contains("gateway key"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        graphql_refusal(&caller.post("/graphql", &json!({})).await, 401);
        // dbt's SDK compares the whole message of the first error.
        let answer = caller.post("/api/graphql/", &json!({})).await;
        assert_eq!(answer.status.as_u16(), 401);
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0], json!({"message": "User is not authorized"}));
        let words = errors[1]["message"].as_str().unwrap();
        assert!(words.contains("Send a valid gateway key"), "{words}");
        assert!(!app.has_row(&answer).await);
    }
}

#[tokio::test]
async fn a_refusal_of_the_gate_has_a_row_with_operation_and_account() {
    let app = TestApp::start().await;
    let answer = app.viewer().post(&trigger(), &json!({"cause": "x"})).await;
    assert_eq!(
        refusal(&answer, 403),
        "This needs a key with the role operator; yours is viewer."
    );
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["surface"], &row["outcome"], &row["attempts"]),
        (&json!("dbt"), &json!("refused"), &json!(0))
    );
    assert_eq!(
        (&row["request_type"], &row["account_id"]),
        (&json!("trigger_job"), &json!(acme::ACCOUNT_ID))
    );
    assert_eq!(row["template"], "/api/v2/accounts/{account_id}/jobs/{job_id}/run/");
    assert_eq!(row["client_type"], "dbt_cloud_administrative");
}

#[tokio::test]
async fn a_read_only_gateway_relays_no_change() {
    let app = Setup {
        read_only: true,
        ..Setup::default()
    }
    .start()
    .await;
    let admin = app.caller(Role::Admin);
    for (method, path) in [
        (Method::POST, trigger()),
        (Method::DELETE, v2("/jobs/1/")),
        (Method::PUT, "/api/v2/odd/".to_owned()),
        (Method::GET, v3("/webhooks/subscription/wsu_1/test")),
    ] {
        let answer = admin.send(admin.request(method, &path)).await;
        assert!(refusal(&answer, 403).contains("only reads"), "{path}");
    }
    assert!(app.dbt.requests().is_empty());
    assert_eq!(admin.get(&v2("/jobs/")).await.status, 200);
    assert_eq!(
        admin.post("/graphql", &json!({"query": "{__typename}"})).await.status,
        200
    );
}

#[tokio::test]
async fn limits_are_answered_in_dbts_envelope() {
    let mut setup = Setup::default();
    setup.limits = LimitSettings {
        requests_per_second: 1,
        burst: 1,
        max_url_bytes: 300,
        max_header_bytes: 600,
        ..setup.limits
    };
    let app = setup.start().await;
    let viewer = app.viewer();
    let answer = viewer.get(&v2(&format!("/jobs/?name={}", "x".repeat(300)))).await;
    refusal(&answer, 414);
    let request = viewer
        .request(Method::GET, &v2("/jobs/"))
        .header("x-long", "x".repeat(600));
    refusal(&viewer.send(request).await, 431);
    for _ in 0..200 {
        let answer = viewer.post("/graphql", &json!({"query": "{__typename}"})).await;
        if answer.status == 429 {
            assert!(graphql_refusal(&answer, 429).contains("1 requests a second"));
            assert_eq!(answer.header(RETRY_AFTER), Some("1"));
            let admin = viewer.get(&v2("/jobs/")).await;
            refusal(&admin, 429);
            return;
        }
    }
    panic!("the rate of the key was never reached");
}

#[tokio::test]
async fn an_unavailable_database_is_a_503_in_dbts_envelope() {
    let app = Setup {
        database_url: Some("postgres://user@127.0.0.1:1/nothing".to_owned()),
        ..Setup::default()
    }
    .start()
    .await;
    refusal(&app.viewer().get(&v2("/jobs/")).await, 503);
    graphql_refusal(&app.viewer().post("/graphql", &json!({})).await, 503);
}

#[tokio::test]
async fn the_rest_api_keeps_its_problem_documents() {
    let app = TestApp::start().await;
    let answer = app.viewer().get("/projects/4711").await;
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/problem+json"));
}

#[tokio::test]
async fn creating_tokens_is_refused_unless_the_settings_allow_it() {
    let user = acme::USER_ID;
    let paths = [
        v3("/service-tokens/"),
        v3("/service-tokens"),
        v3(&format!("/users/{user}/account-apikeys/")),
        v3(&format!("/users/{user}/account-apikeys/1/")),
        v3("/scim-config/tokens/"),
        // Not in the specifications, but of the same form.
        v2("/service-tokens/"),
        v3("/service-tokens/1/rotate/"),
        format!("/api/v2/users/{user}/apiKey/"),
    ];
    let app = TestApp::start().await;
    for path in &paths {
        let answer = app.caller(Role::Admin).post(path, &json!({"name": "x"})).await;
        let message = refusal(&answer, 403);
        assert!(message.contains("compat.allow_token_minting"), "{path}: {message}");
        assert_eq!(app.row_of(&answer).await["outcome"], "refused");
        // The role is checked first.
        let operator = app.operator().post(path, &json!({"name": "x"})).await;
        assert!(refusal(&operator, 403).contains("needs a key with the role admin"));
    }
    assert!(app.dbt.requests().is_empty());

    let app = Setup {
        allow_token_minting: true,
        ..Setup::default()
    }
    .start()
    .await;
    for path in &paths {
        refusal(&app.operator().post(path, &json!({"name": "x"})).await, 403);
        app.caller(Role::Admin).post(path, &json!({"name": "x"})).await;
    }
    assert_eq!(app.dbt.requests().len(), paths.len());
}
