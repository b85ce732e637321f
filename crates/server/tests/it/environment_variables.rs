//! Environment variables: one entry per variable, with masked secrets.

use serde_json::json;
use simulator::{Fault, FaultBody, acme};

use crate::support::TestApp;

fn path(rest: &str) -> String {
    format!("/environment-variables?project_id={}{rest}", acme::PROJECT_ID)
}

#[tokio::test]
async fn variables_are_listed_with_their_values_by_environment() {
    let app = TestApp::start().await;
    let list = app.viewer().get(&path("")).await.expect(200);
    assert_eq!(list["count"], 3);
    let value = |environment: &str, place: i64, value: &str| json!({"environment": environment, "id": acme::FIRST_VARIABLE_VALUE_ID + place, "value": value});
    let mask = "**********";
    assert_eq!(
        list["results"],
        json!([
            {"name": acme::SECRET_VARIABLE, "values": [
                value("project", 5, mask), value("Production", 6, mask), value("Staging", 7, mask)]},
            {"name": acme::SCHEMA_VARIABLE, "values": [
                value("project", 3, "analytics_dev"), value("Production", 4, "analytics")]},
            {"name": acme::THREADS_VARIABLE, "values": [
                value("project", 0, "4"), value("Production", 1, "16"), value("Staging", 2, "8")]},
        ])
    );
    let second = app.viewer().get(&path("&page=2&page_size=2")).await.expect(200);
    assert_eq!(second["results"][0]["name"], acme::THREADS_VARIABLE);
    let refused = app
        .viewer()
        .get("/environment-variables")
        .await
        .problem(400, "invalid-request");
    assert!(refused["detail"].as_str().unwrap().contains("project_id"), "{refused}");
    app.viewer()
        .get("/environment-variables?project_id=1")
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_secret_that_dbt_cloud_sends_is_masked() {
    let app = TestApp::start().await;
    let data = json!({"environments": ["project"], "variables": {
        "DBT_ENV_SECRET_X": {"project": {"id": 1, "value": "leaked"}}, "A": {"project": {"id": 2, "value": null}, "gone": null},
    }});
    let body = json!({"status": {"code": 200, "is_success": true}, "data": data}).to_string();
    let content_type = "application/json".to_owned();
    app.dbt
        .add_fault(Fault::everywhere().answer(200, FaultBody::Custom { content_type, body }));
    let answer = app.viewer().get(&path("")).await;
    assert!(!answer.text.contains("leaked"), "{}", answer.text);
    assert_eq!(
        answer.json()["results"][0]["values"],
        json!([{"environment": "project", "id": 2, "value": null}])
    );
}
