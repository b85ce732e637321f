//! Connections: the list with its filters, and one without its secrets.

use serde_json::json;
use simulator::{Fault, FaultBody, acme};

use crate::support::TestApp;

#[tokio::test]
async fn connections_are_listed_filtered_and_read() {
    let app = TestApp::start().await;
    let list = app.viewer().get("/connections").await.expect(200);
    assert_eq!(list["count"], acme::CONNECTIONS);
    for (query, ids) in [
        ("name=Warehouse", vec![acme::CONNECTION_ID]),
        ("name_contains=finance", vec![acme::SNOWFLAKE_CONNECTION_ID]),
        ("adapter_version=databricks_v0", vec![acme::DATABRICKS_CONNECTION_ID]),
    ] {
        assert_eq!(
            app.viewer().get(&format!("/connections?{query}")).await.ids(),
            ids,
            "{query}"
        );
    }
    let path = format!("/connections/{}", acme::SNOWFLAKE_CONNECTION_ID);
    let one = app.viewer().get(&path).await.expect(200);
    assert_eq!(one["name"], "Finance Snowflake");
    assert_eq!(one["config"]["database"], "FINANCE");
    app.viewer().get("/connections/1").await.problem(404, "not-found");
}

#[tokio::test]
async fn only_fields_without_secrets_are_shown() {
    let app = TestApp::start().await;
    let config =
        json!({"host": "warehouse", "private_key": "SECRET", "client_secret": "SECRET", "new_field": "SECRET"});
    let data = json!({"id": 1, "name": "odd", "config": config, "oauth_client_secret": "SECRET"});
    let body = json!({"status": {"code": 200, "is_success": true}, "data": data}).to_string();
    let content_type = "application/json".to_owned();
    app.dbt
        .add_fault(Fault::everywhere().answer(200, FaultBody::Custom { content_type, body }));
    let answer = app.viewer().get("/connections/1").await;
    assert_eq!(answer.json()["config"]["host"], "warehouse");
    assert!(!answer.text.contains("SECRET"), "{}", answer.text);
}
