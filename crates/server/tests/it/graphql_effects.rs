//! The effect of GraphQL documents on both surfaces: mutations are changes, and need an operator; those that only create
//! queries of the Semantic Layer are reads, and are never sent twice.

use axum::http::Method;
use model::Role;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use simulator::Fault;

use crate::support::{Answer, Caller, Setup, TestApp};

const CREATE: &str = "mutation { ...F } fragment F on Mutation { createQuery(environmentId: 1, metrics: [{name: \"revenue\"}]) { queryId } }";
const CHANGE: &str = "mutation { createQuery(environmentId: 1) { queryId } deleteAll }";
const BOTH: &str = "query A { __typename } mutation B { deleteAll }";

/// Each address with the name of its mutations, and whether it is the relay.
const ADDRESSES: [(&str, &str, bool); 5] = [
    ("/metadata/query", "mutate_metadata", false),
    ("/semantic-layer/query", "mutate_semantic_layer", false),
    ("/graphql", "mutate_metadata", true),
    ("/beta/graphql/", "mutate_metadata", true),
    ("/api/graphql", "mutate_semantic_layer", true),
];

fn body(document: &str, operation: Option<&str>, is_relay: bool) -> Value {
    let name = if is_relay { "operationName" } else { "operation_name" };
    match operation {
        Some(operation) => json!({"query": document, name: operation}),
        None => json!({ "query": document }),
    }
}

async fn ask(caller: &Caller<'_>, address: &str, body: &Value) -> Answer {
    caller.post(address, body).await
}

/// Asserts a refusal that is logged, and that dbt Cloud was not contacted.
async fn assert_refused(app: &TestApp, answer: &Answer, request_type: &str, words: &str) {
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(answer.text.contains(words), "{}", answer.text);
    let row = app.row_of(answer).await;
    assert_eq!(
        (&row["request_type"], &row["outcome"]),
        (&json!(request_type), &json!("refused"))
    );
}

#[tokio::test]
async fn a_mutation_is_a_change_for_operators_on_both_surfaces() {
    let app = TestApp::start().await;
    for (address, request_type, is_relay) in ADDRESSES {
        for document in [
            body(CHANGE, None, is_relay),
            body(BOTH, None, is_relay),
            body(BOTH, Some("B"), is_relay),
        ] {
            let before = app.dbt.requests().len();
            let refused = ask(&app.viewer(), address, &document).await;
            assert_refused(&app, &refused, request_type, "operator").await;
            assert_eq!(app.dbt.requests().len(), before, "{address}");
            let answer = ask(&app.operator(), address, &document).await;
            assert_eq!(app.dbt.requests().len(), before + 1, "{address}: {}", answer.text);
            let row = app.row_of(&answer).await;
            assert_eq!(
                (&row["request_type"], &row["attempts"]),
                (&json!(request_type), &json!(1))
            );
        }
        let named_read = ask(&app.viewer(), address, &body(BOTH, Some("A"), is_relay)).await;
        assert_ne!(named_read.status, 403, "{address}: {}", named_read.text);
        assert!(
            app.row_of(&named_read).await["request_type"]
                .as_str()
                .unwrap()
                .starts_with("query_")
        );
    }
}

#[tokio::test]
async fn read_only_mode_refuses_mutations_and_lets_the_semantic_layer_create_queries() {
    let app = Setup {
        read_only: true,
        ..Setup::default()
    }
    .start()
    .await;
    for (address, request_type, is_relay) in ADDRESSES {
        let refused = ask(&app.operator(), address, &body(CHANGE, None, is_relay)).await;
        assert_refused(&app, &refused, request_type, "only reads").await;
        let create = ask(&app.viewer(), address, &body(CREATE, None, is_relay)).await;
        if request_type == "mutate_semantic_layer" {
            assert_ne!(create.status, 403, "{}", create.text);
            assert_eq!(app.row_of(&create).await["request_type"], "query_semantic_layer");
        } else {
            assert_refused(&app, &create, request_type, "only reads").await;
        }
    }
}

#[tokio::test]
async fn a_document_that_creates_a_query_is_sent_once_whatever_dbt_answers() {
    let app = TestApp::start().await;
    let coded: String = url::form_urlencoded::byte_serialize(CREATE.as_bytes()).collect();
    let by_get = format!("/api/graphql?query={coded}");
    for fault in [Fault::everywhere().status(503), Fault::everywhere().reset_after()] {
        let fault = app.dbt.add_fault(fault);
        for (method, address, document) in [
            (Method::POST, "/semantic-layer/query", Some(json!({"query": CREATE}))),
            (Method::POST, "/api/graphql", Some(json!({"query": CREATE}))),
            (Method::GET, by_get.as_str(), None),
        ] {
            let viewer = app.viewer();
            let before = app.dbt.requests().len();
            let request = viewer.request(method, address);
            let request = document.iter().fold(request, RequestBuilder::json);
            let answer = viewer.send(request).await;
            assert!(answer.status.is_server_error(), "{}", answer.text);
            assert_eq!(app.dbt.requests().len(), before + 1, "{address}");
        }
        app.dbt.remove_fault(fault);
    }
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_before_dbt_is_contacted() {
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let post = |address: &str, content_type: &str, body: &str| {
        let request = admin
            .request(Method::POST, address)
            .header("content-type", content_type);
        admin.send(request.body(body.to_owned()))
    };
    for body in [
        "",
        "{}",
        "[]",
        "not json",
        r#"{"query": "mutation {"}"#,
        r#"{"query": "select 1"}"#,
        r#"{"query": "subscription { a }"}"#,
        r#"{"query": "{ a }", "query": "mutation { b }"}"#,
        r#"{"query": "{ a }", "operationName": "B"}"#,
        r#"[{"query": "{ a }"}, {"query": "mutation {"}]"#,
        r#"{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}"#,
    ] {
        for address in ["/graphql", "/beta/graphql", "/api/graphql"] {
            let answer = post(address, "application/json", body).await;
            assert_eq!(answer.status, 400, "{address} {body}: {}", answer.text);
            let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(message.contains("dbt Cloud was not contacted"), "{message}");
        }
    }
    for (address, body) in [
        ("/metadata/query", r#"{"query": "mutation {"}"#),
        ("/semantic-layer/query", r#"{"query": "subscription { a }"}"#),
        ("/metadata/query", r#"{"query": "{ a }", "operation_name": "B"}"#),
        ("/metadata/query", r#"{"query": "mutation { a }", "gather": "a.b"}"#),
    ] {
        post(address, "application/json", body)
            .await
            .problem(400, "invalid-request");
    }
    // One body, read in two ways.
    let both = r#"{"query": "mutation { b }", "x": "&query={a}&"}"#;
    let request = admin
        .request(Method::POST, "/graphql")
        .header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("content-type", "application/json").body(both);
    assert_eq!(admin.send(request).await.status, 400);
    assert_eq!(app.dbt.requests().len(), 0);

    let batch = r#"[{"query": "{ __typename }"}, {"query": "mutation { deleteAll }"}]"#;
    let viewer = app.viewer();
    let request = viewer
        .request(Method::POST, "/graphql")
        .header("content-type", "application/json");
    assert_eq!(viewer.send(request.body(batch)).await.status, 403);
}
