//! GraphQL: the API of a path, the account of a query, and refusals as GraphQL errors.

use model::Role;
use reqwest::Method;
use serde_json::json;
use simulator::{acme, globex};

use super::{graphql_refusal, refusal};
use crate::support::{COMPANY, Setup, TestApp};

const QUERY: &str = "{ __typename }";

#[tokio::test]
async fn each_graphql_path_selects_one_dbt_api_for_every_host() {
    let app = TestApp::start().await;
    for (path, sent, request_type, client_type, scheme) in [
        ("/graphql", "/graphql", "query_metadata", "dbt_cloud_metadata", "Token"),
        ("/graphql/", "/graphql", "query_metadata", "dbt_cloud_metadata", "Token"),
        (
            "/beta/graphql",
            "/beta/graphql",
            "query_metadata",
            "dbt_cloud_metadata",
            "Token",
        ),
        (
            "/beta/graphql/",
            "/beta/graphql",
            "query_metadata",
            "dbt_cloud_metadata",
            "Token",
        ),
        (
            "/api/graphql",
            "/api/graphql",
            "query_semantic_layer",
            "dbt_cloud_semantic_layer",
            "Bearer",
        ),
        (
            "/api/graphql/",
            "/api/graphql",
            "query_semantic_layer",
            "dbt_cloud_semantic_layer",
            "Bearer",
        ),
    ] {
        let viewer = app.viewer();
        let request = viewer
            .request(Method::POST, path)
            .header("host", "metadata.gateway.test");
        let answer = viewer
            .send(request.json(&json!({"query": QUERY, "variables": {"a": [1]}})))
            .await;
        assert!(answer.expect(200)["data"].is_object(), "{path}: {}", answer.text);
        let received = app.dbt.requests().pop().unwrap();
        assert_eq!(received.target, sent);
        assert_eq!(received.json()["variables"], json!({"a": [1]}));
        assert_eq!(
            received.header("authorization"),
            Some(&*format!("{scheme} {}", acme::TOKEN))
        );
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["request_type"], &row["client_type"]),
            (&json!(request_type), &json!(client_type))
        );
        assert_eq!((&row["template"], &row["surface"]), (&json!(sent), &json!("dbt")));
        assert!(!row.to_string().contains("__typename"), "bodies are not in rows");
    }
}

#[tokio::test]
async fn errors_within_a_200_are_passed_on_unchanged() {
    let app = TestApp::start().await;
    let answer = app
        .viewer()
        .post("/graphql", &json!({"query": "{ nothing_of_the_kind }"}))
        .await;
    assert!(answer.expect(200)["errors"].is_array());
}

#[tokio::test]
async fn the_account_is_the_named_one_else_the_default_of_the_key_else_the_only_one() {
    let app = Setup {
        accounts: vec![
            (COMPANY, acme::ACCOUNT_ID, acme::TOKEN.to_owned()),
            (COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned()),
        ],
        ..Setup::default()
    }
    .start()
    .await;
    let body = json!({"query": QUERY});
    let with_default = app.create_key(COMPANY, Role::Viewer).await;
    app.update_key(&with_default, "default_account_id = 70403103900002")
        .await;
    let only_one = app.create_key(COMPANY, Role::Viewer).await;
    app.update_key(&only_one, "accounts = '{70403103900001}'").await;
    let (acme_id, globex_id) = (acme::ACCOUNT_ID.to_string(), globex::ACCOUNT_ID.to_string());
    for (key, query, header, token) in [
        (app.key(Role::Viewer), Some(&acme_id), None, acme::TOKEN),
        (app.key(Role::Viewer), None, Some(&globex_id), globex::TOKEN),
        (app.key(Role::Viewer), Some(&acme_id), Some(&acme_id), acme::TOKEN),
        (&with_default, None, None, globex::TOKEN),
        (&with_default, None, Some(&acme_id), acme::TOKEN),
        (&only_one, None, None, acme::TOKEN),
    ] {
        let caller = app.with_key(key);
        let path = query.map_or("/graphql".to_owned(), |id| format!("/graphql?account_id={id}"));
        let mut request = caller.request(Method::POST, &path).json(&body);
        if let Some(id) = header {
            request = request.header("X-Dbt-Account-Id", id);
        }
        assert_eq!(caller.send(request).await.status, 200);
        let received = app.dbt.requests().pop().unwrap();
        assert_eq!(received.header("authorization"), Some(&*format!("Token {token}")));
    }

    let before = app.dbt.requests().len();
    let viewer = app.viewer();
    let ambiguous = viewer.post("/graphql", &body).await;
    let message = graphql_refusal(&ambiguous, 400);
    assert!(
        message.contains(&acme_id) && message.contains(&globex_id) && message.contains("X-Dbt-Account-Id"),
        "{message}"
    );
    assert_eq!(app.row_of(&ambiguous).await["outcome"], "refused");
    let unknown = viewer.post("/graphql?account_id=4711", &body).await;
    assert!(graphql_refusal(&unknown, 404).contains("4711"));
    for (path, header) in [
        (format!("/graphql?account_id={acme_id}&account_id={globex_id}"), None),
        (format!("/graphql?account_id={acme_id}"), Some(globex_id.as_str())),
        ("/graphql?account_id=".to_owned(), None),
        ("/graphql?account_id=x".to_owned(), None),
        ("/graphql".to_owned(), Some("0")),
    ] {
        let mut request = viewer.request(Method::POST, &path).json(&body);
        if let Some(id) = header {
            request = request.header("X-Dbt-Account-Id", id);
        }
        let message = graphql_refusal(&viewer.send(request).await, 400);
        assert!(message.contains("name one account"), "{path}: {message}");
    }
    // The same rules apply to a path of the Administrative API without an account.
    let admin = app.caller(Role::Admin);
    refusal(&admin.get("/api/v2/whoami").await, 400);
    assert_eq!(app.dbt.requests().len(), before);
    let named = admin
        .request(Method::GET, "/api/v2/whoami/")
        .header("X-Dbt-Account-Id", &globex_id);
    assert_eq!(admin.send(named).await.status, 200);
    let received = app.dbt.requests().pop().unwrap();
    assert_eq!(
        received.header("authorization"),
        Some(&*format!("Token {}", globex::TOKEN))
    );
}
