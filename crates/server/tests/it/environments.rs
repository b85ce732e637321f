//! Environments: lists of a project and of an account, filters, and a single one.

use serde_json::{Value, json};
use simulator::acme;

use crate::support::TestApp;

fn names(list: &Value) -> Vec<&str> {
    let results = list["results"].as_array().unwrap();
    results.iter().map(|each| each["name"].as_str().unwrap()).collect()
}

/// Path and query below the account of the only request to dbt Cloud since the last call.
fn only_request(app: &TestApp) -> String {
    let requests = app.dbt.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
    app.dbt.clear_requests();
    let account = format!("/accounts/{}", acme::ACCOUNT_ID);
    requests[0].target.replace("/api/", "").replace(&account, "")
}

#[tokio::test]
async fn environments_of_one_project_are_listed_by_v3_and_all_others_by_v2() {
    let app = TestApp::start().await;
    let (one, other) = (acme::PROJECT_ID, acme::FINANCE_PROJECT_ID);
    let page = "limit=100&offset=0";
    let list = |query: String| format!("/environments?{query}");

    let of_one = app.viewer().get(&list(format!("project_id={one}"))).await.expect(200);
    assert_eq!(only_request(&app), format!("v3/projects/{one}/environments/?{page}"));
    assert!(
        of_one["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|each| each["project_id"] == one)
    );
    assert_eq!(names(&of_one), ["Production", "Staging", "Development"]);

    let of_both = app
        .viewer()
        .get(&list(format!("project_id={one},{other}")))
        .await
        .expect(200);
    assert_eq!(
        only_request(&app),
        format!("v2/environments/?{page}&project_id__in=%5B{one}%2C{other}%5D")
    );
    let of_all = app.viewer().get("/environments").await.expect(200);
    assert_eq!(only_request(&app), format!("v2/environments/?{page}"));
    let count = |list: &Value| list["count"].as_u64().unwrap();
    assert!(count(&of_one) < count(&of_both) && count(&of_both) < count(&of_all));
}

#[tokio::test]
async fn every_filter_has_the_same_results_in_v2_and_v3() {
    let app = TestApp::start().await;
    let all = app.viewer().get("/environments").await.expect(200);
    for (query, wire) in [
        ("name=Staging", "name=Staging"),
        ("name=staging", "name=staging"),
        ("name_contains=PROD", "name__icontains=PROD"),
        ("type=development", "type=development"),
        (
            "deployment_type=production,staging",
            "deployment_type__in=%5B%22production%22%2C%22staging%22%5D",
        ),
        ("dbt_version=latest", "dbt_version__in=%5B%22latest%22%5D"),
        ("state=deleted", "state=deleted"),
        ("state=all&order_by=-id", "state=all&order_by=-id"),
    ] {
        app.dbt.clear_requests();
        let of_project = format!("/environments?project_id={}&{query}", acme::PROJECT_ID);
        let by_project = app.viewer().get(&of_project).await;
        assert!(only_request(&app).ends_with(wire), "{query}");
        let by_account = app.viewer().get(&format!("/environments?{query}")).await.expect(200);
        let mine: Vec<_> = by_account["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|each| each["project_id"] == acme::PROJECT_ID)
            .map(|each| each["id"].as_i64().unwrap())
            .collect();
        assert_eq!(by_project.ids(), mine, "{query}");
        assert!(by_account["count"].as_u64() <= all["count"].as_u64(), "{query}");
    }
}

#[tokio::test]
async fn an_exact_name_finds_every_environment_of_that_name() {
    let app = TestApp::start().await;
    let production = app.viewer().get("/environments?name=Production").await;
    assert!(production.ids().len() > 1, "several projects have one of that name");
    assert_eq!(production.json()["count"], production.ids().len());
    let first = app.viewer().get("/environments?name=Production&page_size=1").await;
    assert_eq!(
        (first.ids(), &first.json()["count"]),
        (production.ids()[..1].to_vec(), &production.json()["count"])
    );
    assert_eq!(app.viewer().get("/environments?name=None").await.ids(), [0_i64; 0]);
}

#[tokio::test]
async fn one_environment_is_read_by_v3_if_its_project_is_given_else_by_v2() {
    let app = TestApp::start().await;
    let id = acme::PRODUCTION_ENVIRONMENT_ID;
    let by_account = app.viewer().get(&format!("/environments/{id}")).await.expect(200);
    assert_eq!(only_request(&app), format!("v2/environments/{id}/"));
    let path = format!("/environments/{id}?project_id={}", acme::PROJECT_ID);
    let by_project = app.viewer().get(&path).await.expect(200);
    assert_eq!(
        only_request(&app),
        format!("v3/projects/{}/environments/{id}/", acme::PROJECT_ID)
    );
    for found in [&by_account, &by_project] {
        assert_eq!((&found["id"], &found["type"]), (&json!(id), &json!("deployment")));
    }
    assert_eq!(
        (&by_account["is_deferrable"], &by_project["is_deferrable"]),
        (&Value::Null, &json!(true))
    );
    let elsewhere = format!("/environments/{id}?project_id={}", acme::FINANCE_PROJECT_ID);
    app.viewer().get(&elsewhere).await.problem(404, "not-found");
    app.viewer().get("/environments/1").await.problem(404, "not-found");
}

#[tokio::test]
async fn unknown_filters_and_invalid_values_are_refused_before_dbt_is_contacted() {
    let app = TestApp::start().await;
    for (query, detail) in [
        (
            "kind=x",
            "expected one of `account_id`, `credential`, `page`, `page_size`, `project_id`, `name`",
        ),
        ("type=production", "expected `development` or `deployment`"),
        ("deployment_type=prod", "`prod` is none of production, staging"),
        ("project_id=0", "`0` is none of the positive whole numbers"),
        ("state=3", "expected one of `active`, `deleted`, `all`"),
        ("dbt_version=", "is none of the texts that are not empty"),
    ] {
        let answer = app.viewer().get(&format!("/environments?{query}")).await;
        answer.problem(400, "invalid-request");
        assert!(answer.detail().contains(detail), "{query}: {}", answer.detail());
    }
    assert!(app.dbt.requests().is_empty());
}
