//! Projects: the filters of the list, a single project, and its fields.

use serde_json::{Value, json};
use simulator::{Effect, Fault, acme};

use crate::support::TestApp;

fn names(list: &Value) -> Vec<&str> {
    let results = list["results"].as_array().unwrap();
    results
        .iter()
        .map(|project| project["name"].as_str().unwrap())
        .collect()
}

/// The query of the only request to dbt Cloud since the last call.
fn only_query(app: &TestApp) -> String {
    let requests = app.dbt.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
    let path = format!("/api/v3/accounts/{}/projects/", acme::ACCOUNT_ID);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path()),
        ("GET", path.as_str())
    );
    app.dbt.clear_requests();
    requests[0].query().unwrap().to_owned()
}

#[tokio::test]
async fn only_active_projects_are_listed_by_default() {
    let app = TestApp::start().await;
    for (query, count, sent) in [
        ("", acme::ACTIVE_PROJECTS, "limit=100&offset=0"),
        (
            "?state=active",
            acme::ACTIVE_PROJECTS,
            "limit=100&offset=0&state=active",
        ),
        ("?state=deleted", 1, "limit=100&offset=0&state=deleted"),
        ("?state=all", acme::ACTIVE_PROJECTS + 1, "limit=100&offset=0&state=all"),
    ] {
        let list = app.viewer().get(&format!("/projects{query}")).await.expect(200);
        assert_eq!(list["count"], count, "{query}");
        assert_eq!(names(&list).len(), count, "{query}");
        assert_eq!(only_query(&app), sent);
    }
}

#[tokio::test]
async fn an_exact_name_finds_every_project_of_that_name() {
    let app = TestApp::start().await;
    for (name, ids) in [
        ("Customer 360", vec![acme::PROJECT_ID]),
        ("customer 360", vec![]),
        ("Customer", vec![]),
        ("No such project", vec![]),
    ] {
        let query: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let answer = app.viewer().get(&format!("/projects?name={query}")).await;
        assert_eq!(answer.ids(), ids, "{name}");
        assert_eq!(answer.json()["count"], ids.len(), "{name}");
        assert_eq!(only_query(&app), format!("limit=100&offset=0&name__icontains={query}"));
    }
}

#[tokio::test]
async fn several_projects_of_one_name_are_found_and_paged() {
    let app = TestApp::start().await;
    let twin = |id: i64| json!({"id": id, "name": "Twin", "account_id": acme::ACCOUNT_ID});
    let near = json!({"id": 3, "name": "Twins", "account_id": acme::ACCOUNT_ID});
    let data = [twin(1), twin(2), near, twin(4)];
    let list = json!({
        "status": {"code": 200, "is_success": true, "user_message": "Success!", "developer_message": ""},
        "data": data, "extra": {"pagination": {"count": 4, "total_count": 4}},
    });
    let body = simulator::FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: list.to_string(),
    };
    app.dbt.add_fault(Fault::everywhere().answer(200, body));
    let first = app.viewer().get("/projects?name=Twin&page_size=2").await;
    assert_eq!((first.ids(), &first.json()["count"]), (vec![1, 2], &json!(3)));
    let second = app.viewer().get(first.json()["next"].as_str().unwrap()).await;
    assert_eq!((second.ids(), &second.json()["next"]), (vec![4], &Value::Null));
}

#[tokio::test]
async fn name_contains_and_order_by_are_sent_to_dbt() {
    let app = TestApp::start().await;
    let list = app.viewer().get("/projects?name_contains=FINANCE").await.expect(200);
    assert_eq!(names(&list), ["Finance Marts"]);
    assert_eq!(only_query(&app), "limit=100&offset=0&name__icontains=FINANCE");

    let answer = app.viewer().get("/projects?order_by=-id").await;
    assert!(answer.ids().is_sorted_by(|a, b| a > b), "{:?}", answer.ids());
    assert_eq!(only_query(&app), "limit=100&offset=0&order_by=-id");

    let both = app
        .viewer()
        .get("/projects?name=Finance+Marts&name_contains=marts")
        .await;
    assert_eq!(both.ids(), [acme::FINANCE_PROJECT_ID]);
    assert_eq!(only_query(&app), "limit=100&offset=0&name__icontains=marts");
}

#[tokio::test]
async fn a_value_with_special_characters_stays_one_query_parameter() {
    let app = TestApp::start().await;
    let query = "name_contains=a%26limit%3D1%23%2F..%2F%3Fx%3D%C3%BC+%2B";
    assert_eq!(app.viewer().get(&format!("/projects?{query}")).await.ids(), [0_i64; 0]);
    let sent = only_query(&app);
    let pairs: Vec<_> = url::form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let text = pair("name__icontains", "a&limit=1#/../?x=ü +");
    assert_eq!(pairs, [pair("limit", "100"), pair("offset", "0"), text]);
}

#[tokio::test]
async fn one_project_is_read_by_its_id_from_v3() {
    let app = TestApp::start().await;
    let project = app
        .viewer()
        .get(&format!("/projects/{}", acme::PROJECT_ID))
        .await
        .expect(200);
    assert_eq!(
        (&project["id"], &project["name"]),
        (&json!(acme::PROJECT_ID), &json!("Customer 360"))
    );
    assert_eq!(project["account_id"], acme::ACCOUNT_ID);
    let requests = app.dbt.requests();
    let path = format!("/api/v3/accounts/{}/projects/{}/", acme::ACCOUNT_ID, acme::PROJECT_ID);
    assert_eq!((requests.len(), &requests[0].target), (1, &path));
    assert_eq!(
        requests[0].header("authorization"),
        Some(format!("Token {}", acme::TOKEN).as_str())
    );
    assert_eq!(requests[0].body.len(), 0, "no body on a GET");

    let listed = app.viewer().get("/projects?name=Customer+360").await.expect(200);
    assert_eq!(listed["results"][0], project, "the list has the same fields");
}

#[tokio::test]
async fn an_invalid_id_is_refused_before_dbt_is_contacted() {
    let app = TestApp::start().await;
    for id in [
        "0",
        "-1",
        "x",
        "1.0",
        "9223372036854775808",
        "%20",
        "1%2F2",
        "..%2F..%2Faccounts",
        "%FF",
    ] {
        for path in ["/projects/", "/runs/"] {
            let answer = app.viewer().get(&format!("{path}{id}")).await;
            answer.problem(400, "invalid-request");
        }
    }
    let detail = app.viewer().get("/projects/Customer").await.detail();
    assert_eq!(
        detail,
        "`Customer` in the path is not an id: ids are positive whole numbers."
    );
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn unknown_fields_of_dbt_are_ignored() {
    let app = TestApp::start().await;
    let before = app.viewer().get("/projects").await.expect(200);
    app.dbt.add_fault(Fault::everywhere().effect(Effect::UnknownFields));
    assert_eq!(app.viewer().get("/projects").await.expect(200), before);
}
