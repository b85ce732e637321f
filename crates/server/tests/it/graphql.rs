//! The GraphQL routes: Discovery with gathered pages, the Semantic Layer with tables, and errors.

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Effect, Fault, FaultBody, acme};

use crate::support::{Answer, Setup, TestApp};

const METADATA: &str = "/metadata/query";
const SEMANTIC_LAYER: &str = "/semantic-layer/query";
const MODELS: &str = "query ($id: BigInt!, $first: Int!, $after: String) { environment(id: $id) { applied { \
    models(first: $first, after: $after) { edges { node { name } } pageInfo { hasNextPage endCursor } totalCount } } } }";
const JOB_MODELS: &str = "query ($id: BigInt!, $first: Int, $after: String) { job(id: $id) { models(first: $first, after: $after) { name paginationCursor } } }";

/// A simulator whose clock runs, since queries of the Semantic Layer take time.
async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.dbt.set_time_scale(1000.0);
    app
}

async fn post_query(app: &TestApp, path: &str, body: Value) -> Answer {
    app.viewer().post(path, &body).await
}

#[tokio::test]
async fn a_discovery_query_returns_its_data_and_has_one_row() {
    let app = TestApp::start().await;
    let body = json!({
        "query": "query A { job(id: 1) { id } } query B($id: BigInt!) { job(id: $id) { id } }",
        "variables": {"id": acme::NIGHTLY_JOB_ID}, "operation_name": "B",
    });
    let answer = post_query(&app, METADATA, body).await;
    assert_eq!(
        answer.expect(200),
        json!({"data": {"job": {"id": acme::NIGHTLY_JOB_ID}}})
    );

    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["request_type"], &row["client_type"], &row["attempts"]),
        (&json!("query_metadata"), &json!("dbt_cloud_metadata"), &json!(1))
    );
    assert_eq!(row["args"]["query"]["operationName"], "B");
    let sent = &app.dbt.requests()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/graphql"));
}

#[rstest]
#[case::of_an_environment(
    MODELS,
    acme::PRODUCTION_ENVIRONMENT_ID,
    "environment.applied.models",
    "/environment/applied/models/edges"
)]
#[case::of_a_job(JOB_MODELS, acme::NIGHTLY_JOB_ID, "job.models", "/job/models")]
#[tokio::test]
async fn gathered_pages_are_the_complete_list_in_order(
    #[case] query: &str,
    #[case] id: i64,
    #[case] gather: &str,
    #[case] pointer: &str,
) {
    let app = TestApp::start().await;
    let body = |first: u32| json!({"query": query, "gather": gather, "variables": {"id": id, "first": first}});
    let one_page = post_query(&app, METADATA, body(100)).await;
    let all = one_page.expect(200)["data"].pointer(pointer).unwrap().clone();
    assert!(all.as_array().unwrap().len() > 2, "{all:#}");
    let gathered = post_query(&app, METADATA, body(2)).await;
    let names = |list: &Value| -> Vec<Value> {
        let rows = list.as_array().unwrap();
        let name = |row: &Value| row.pointer("/node/name").unwrap_or(&row["name"]).clone();
        rows.iter().map(name).collect()
    };
    assert_eq!(
        names(gathered.expect(200)["data"].pointer(pointer).unwrap()),
        names(&all)
    );

    let row = app.row_of(&gathered).await;
    assert!(row["attempts"].as_u64().unwrap() > 1, "{row:#}");
    assert_eq!(row["exchanges"][1]["why"], "next_page");
}

#[tokio::test]
async fn a_list_over_the_page_limit_is_refused_and_not_cut() {
    let mut setup = Setup::default();
    setup.graphql.max_pages = 2;
    let app = setup.start().await;
    let variables = json!({"id": acme::PRODUCTION_ENVIRONMENT_ID, "first": 1});
    let body = json!({"query": MODELS, "gather": "environment.applied.models", "variables": variables});
    let answer = post_query(&app, METADATA, body).await;
    answer.problem(422, "answer-too-long");
    let row = app.row_of(&answer).await;
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("too_large"), &json!(2)));
}

#[rstest]
#[case::no_edges(
    "query ($id: BigInt!, $first: Int!) { environment(id: $id) { applied { models(first: $first) { totalCount } } } }"
)]
#[case::no_page_info(
    "query ($id: BigInt!, $first: Int!) { environment(id: $id) { applied { models(first: $first) { edges { node { name } } } } } }"
)]
#[case::another_path("query ($id: BigInt!) { environment(id: $id) { id } }")]
#[case::ignores_after(
    "query ($id: BigInt!, $first: Int!) { environment(id: $id) { applied { models(first: $first) { edges { node { name } } pageInfo { hasNextPage endCursor } } } } }"
)]
#[tokio::test]
async fn a_query_whose_pages_cannot_be_gathered_is_refused(#[case] query: &str) {
    let app = TestApp::start().await;
    let variables = json!({"id": acme::PRODUCTION_ENVIRONMENT_ID, "first": 1});
    let body = json!({"query": query, "gather": "environment.applied.models", "variables": variables});
    let answer = post_query(&app, METADATA, body).await;
    answer.problem(400, "invalid-request");
    assert_eq!(app.row_of(&answer).await["outcome"], "invalid_request");
}

#[tokio::test]
async fn errors_in_a_200_are_a_problem_with_dbts_messages_and_the_partial_data() {
    let app = TestApp::start().await;
    let body =
        json!({"query": format!("{{ good: job(id: {}) {{ id }} bad: job(id: 1) {{ id }} }}", acme::NIGHTLY_JOB_ID)});
    let answer = post_query(&app, METADATA, body).await;
    let problem = answer.problem(422, "graphql-errors");
    assert!(problem["detail"].as_str().unwrap().contains("No job 1"), "{problem:#}");
    assert!(problem["errors"][0]["message"].is_string());

    let partial = json!({"data": {"good": {"id": 7}, "bad": null}, "errors": [{"message": "partial"}]});
    let body = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: partial.to_string(),
    };
    app.dbt.add_fault(Fault::everywhere().answer(200, body));
    let answer = post_query(&app, METADATA, json!({"query": "{ good: x bad: y }"})).await;
    let problem = answer.problem(422, "graphql-errors");
    assert_eq!(problem["data"], partial["data"]);
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["outcome"], &row["status_code"], &row["exchanges"][0]["error"]),
        (&json!("unprocessable_entity"), &json!(200), &json!("graphql"))
    );
}

#[tokio::test]
async fn a_document_of_queries_alone_is_sent_again_and_no_other() {
    let app = TestApp::start().await;
    for (path, document, fault, attempts) in [
        (METADATA, "{ a }", Fault::everywhere().status(503), 3),
        (
            METADATA,
            "query A { a } query B { b }",
            Fault::everywhere().status(502),
            3,
        ),
        (
            SEMANTIC_LAYER,
            "{ a }",
            Fault::everywhere().effect(Effect::ResetBefore),
            3,
        ),
        (
            SEMANTIC_LAYER,
            "mutation { createQuery(environmentId: 1) { queryId } }",
            Fault::everywhere().effect(Effect::ResetBefore),
            1,
        ),
        (
            SEMANTIC_LAYER,
            "mutation { createQuery(environmentId: 1) { queryId } }",
            Fault::everywhere().status(503),
            1,
        ),
    ] {
        app.dbt.clear_requests();
        let fault = app.dbt.add_fault(fault);
        let answer = post_query(&app, path, json!({"query": document})).await;
        answer.problem(502, "dbt-unavailable");
        assert_eq!(app.row_of(&answer).await["attempts"], attempts, "{path} {document}");
        app.dbt.remove_fault(fault);
    }
}

/// What the gateway sent as `orderBy`.
fn orders_sent(app: &TestApp) -> Value {
    let requests = app.dbt.requests();
    let bodies = requests
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    let mut orders = bodies.filter_map(|body| body["variables"].get("orderBy").cloned());
    orders.next().unwrap_or_default()
}

#[tokio::test]
async fn a_table_is_ordered_by_its_metrics_and_dimensions_as_dbt_cloud_wants_it() {
    let app = app().await;
    let day_and_month = json!([{"name": "metric_time", "grain": "DAY"}, {"name": "metric_time", "grain": "MONTH"}]);
    let metric = |name: &str| json!({"metric": {"name": name}, "descending": false});
    let time = |grain: &str| json!({"groupBy": {"name": "metric_time", "grain": grain}, "descending": false});
    for (part, sent) in [
        (
            json!({"saved_query": "daily_revenue", "order_by": [{"name": "revenue"}]}),
            json!([metric("revenue")]),
        ),
        (
            json!({"saved_query": "daily_revenue", "order_by": [{"name": "REVENUE"}]}),
            json!([metric("revenue")]),
        ),
        (
            json!({"saved_query": "daily_revenue", "order_by": [{"name": "metric_time"}, {"name": "revenue"}]}),
            json!([{"groupBy": {"name": "metric_time"}, "descending": false}, metric("revenue")]),
        ),
        (
            json!({"metrics": ["revenue"], "group_by": day_and_month, "order_by": [{"name": "metric_time", "grain": "MONTH"}]}),
            json!([time("MONTH")]),
        ),
        (
            json!({"metrics": ["revenue"], "group_by": day_and_month, "order_by": [
                {"name": "metric_time", "grain": "month"}, {"name": "metric_time", "grain": "DAY"}, {"name": "revenue"},
            ]}),
            json!([time("MONTH"), time("DAY"), metric("revenue")]),
        ),
        (
            json!({"metrics": ["revenue"], "group_by": [{"name": "metric_time", "grain": "DAY"}], "order_by": [{"name": "metric_time"}]}),
            json!([time("DAY")]),
        ),
    ] {
        let mut body = part.clone();
        body["environment_id"] = json!(acme::PRODUCTION_ENVIRONMENT_ID);
        body["limit"] = json!(2);
        app.dbt.clear_requests();
        let answer = post_query(&app, SEMANTIC_LAYER, body).await;
        answer.expect(200);
        assert_eq!(orders_sent(&app), sent, "{part}");
    }
}

#[tokio::test]
async fn an_order_that_is_not_certain_is_refused_before_a_query_is_created() {
    let app = app().await;
    let day_and_month = json!([{"name": "metric_time", "grain": "DAY"}, {"name": "metric_time", "grain": "MONTH"}]);
    for (order, word) in [
        (json!({"name": "metric_time"}), "several grains of `metric_time`"),
        (
            json!({"name": "metric_time", "grain": "YEAR"}),
            "does not have `metric_time` with the grain `YEAR`",
        ),
        (json!({"name": "revenue", "grain": "DAY"}), "`revenue` is a metric"),
    ] {
        let body = json!({
            "environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "metrics": ["revenue"], "group_by": day_and_month,
            "order_by": [order],
        });
        app.dbt.clear_requests();
        let answer = post_query(&app, SEMANTIC_LAYER, body).await;
        answer.problem(400, "invalid-request");
        assert!(answer.detail().contains(word), "{}", answer.text);
        assert!(app.dbt.requests().is_empty());
    }
    // What the query does not have, dbt Cloud refuses.
    for part in [
        json!({"metrics": ["revenue"], "group_by": [{"name": "metric_time"}], "order_by": [{"name": "orders"}]}),
        json!({"saved_query": "daily_revenue", "order_by": [{"name": "orders"}]}),
    ] {
        let mut body = part.clone();
        body["environment_id"] = json!(acme::PRODUCTION_ENVIRONMENT_ID);
        let problem = post_query(&app, SEMANTIC_LAYER, body)
            .await
            .problem(422, "graphql-errors");
        assert!(
            problem["detail"].as_str().unwrap().contains("order by item"),
            "{problem:#}"
        );
    }
}

#[tokio::test]
async fn a_token_that_the_semantic_layer_refuses_is_no_graphql_error_of_the_caller() {
    let app = TestApp::start().await;
    let body = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: json!({"errors": [{"message": "User is not authorized"}], "data": null}).to_string(),
    };
    for status in [200, 401] {
        app.dbt.add_fault(Fault::everywhere().answer(status, body.clone()));
        let answer = post_query(&app, SEMANTIC_LAYER, json!({"query": "{ a }"})).await;
        answer.problem(502, "dbt-credentials-refused");
        app.dbt.clear_faults();
    }
}

#[rstest]
#[case::no_graphql(METADATA, json!({"query": "select 1"}))]
#[case::empty(METADATA, json!({"query": ""}))]
#[case::too_deep(METADATA, json!({"query": format!("query {}{}", "{ a ".repeat(60), "}".repeat(60))}))]
#[case::invalid_gather_path(METADATA, json!({"query": "{ a }", "gather": "a..b"}))]
#[case::nothing(SEMANTIC_LAYER, json!({}))]
#[case::both(SEMANTIC_LAYER, json!({"query": "{ a }", "environment_id": 1, "metrics": ["revenue"]}))]
#[case::document_and_limit(SEMANTIC_LAYER, json!({"query": "{ a }", "limit": 1}))]
#[case::no_metrics(SEMANTIC_LAYER, json!({"environment_id": 1}))]
#[case::metrics_and_saved(SEMANTIC_LAYER, json!({"environment_id": 1, "metrics": ["a"], "saved_query": "b"}))]
#[case::variables_without_document(SEMANTIC_LAYER, json!({"environment_id": 1, "metrics": ["a"], "variables": {"x": 1}}))]
#[tokio::test]
async fn invalid_queries_are_refused_before_dbt_is_contacted(#[case] path: &str, #[case] body: Value) {
    let app = TestApp::start().await;
    post_query(&app, path, body).await.problem(400, "invalid-request");
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn a_document_of_the_semantic_layer_returns_its_data() {
    let app = TestApp::start().await;
    let query = format!(
        "{{ metrics(environmentId: {}) {{ name }} }}",
        acme::PRODUCTION_ENVIRONMENT_ID
    );
    let answer = post_query(&app, SEMANTIC_LAYER, json!({"query": query})).await;
    assert_eq!(answer.expect(200)["data"]["metrics"][0]["name"], "revenue");
    let sent = &app.dbt.requests()[0];
    assert_eq!(sent.target, "/api/graphql");
    let authorization = sent.headers.iter().find(|(name, _)| name == "authorization").unwrap();
    assert!(
        authorization.1.starts_with("Bearer "),
        "the Semantic Layer documents only Bearer"
    );
}

#[tokio::test]
async fn a_metrics_query_is_polled_and_answered_with_the_complete_table() {
    let app = app().await;
    let body = json!({
        "environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "metrics": ["revenue", "orders"],
        "group_by": [{"name": "metric_time", "grain": "DAY"}],
        "where": ["{{ Dimension('order__status') }} = 'completed'"],
        "order_by": [{"name": "metric_time"}, {"name": "revenue", "descending": true}],
    });
    let answer = post_query(&app, SEMANTIC_LAYER, body.clone()).await;
    let table = answer.expect(200);
    let names: Vec<_> = table["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["METRIC_TIME", "REVENUE", "ORDERS"]);
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1500, "more than one of dbt's pages");
    assert_eq!(rows[0], json!(["2025-01-01T00:00:00.000", 101, 202]));
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["request_type"], &row["outcome"]),
        (&json!("query_semantic_layer"), &json!("succeeded"))
    );
    let reasons: Vec<_> = row["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["why"].as_str().unwrap())
        .collect();
    assert_eq!(
        (reasons.first(), reasons.get(1), reasons.last()),
        (Some(&"asked"), Some(&"poll"), Some(&"next_page"))
    );

    let viewer = app.viewer();
    let request = viewer
        .request(Method::POST, SEMANTIC_LAYER)
        .header(ACCEPT, "text/csv;q=0.9, */*;q=0.1");
    let csv = viewer.send(request.json(&body)).await;
    assert_eq!(csv.header(CONTENT_TYPE), Some("text/csv"));
    let mut lines = csv.text.lines();
    assert_eq!(
        (lines.next(), lines.next()),
        (
            Some("METRIC_TIME,REVENUE,ORDERS"),
            Some("2025-01-01T00:00:00.000,101,202")
        )
    );
    assert_eq!(lines.count(), 1499);
}

#[tokio::test]
async fn a_saved_query_and_a_limit_are_passed_on() {
    let app = app().await;
    let body = json!({"environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "saved_query": "daily_revenue", "limit": 3});
    let table = post_query(&app, SEMANTIC_LAYER, body).await.expect(200);
    assert_eq!(table["rows"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_failed_query_has_its_reason_and_a_slow_one_times_out() {
    let app = app().await;
    let body = json!({"environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "metrics": ["happiness"]});
    let failed = post_query(&app, SEMANTIC_LAYER, body)
        .await
        .problem(422, "graphql-errors");
    assert!(failed["detail"].as_str().unwrap().contains("happiness"), "{failed:#}");

    let mut setup = Setup::default();
    setup.graphql.deadline = std::time::Duration::from_millis(50);
    let app = setup.start().await;
    let body = json!({"environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "metrics": ["revenue"]});
    let answer = post_query(&app, SEMANTIC_LAYER, body).await;
    answer.problem(504, "dbt-timeout");
    assert_eq!(app.row_of(&answer).await["outcome"], "timeout");
}
