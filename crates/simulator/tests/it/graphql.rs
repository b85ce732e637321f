//! Discovery and the Semantic Layer, with queries from dbt's documentation.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use simulator::{Config, RateLimit, acme, globex};

use crate::support::TestSimulator;

async fn ask(dbt: &TestSimulator, path: &str, query: &str, variables: Value) -> Value {
    let answer = dbt.post(path, json!({ "query": query, "variables": variables })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

fn names(edges: &Value) -> Vec<&str> {
    edges
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["node"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_applied_state_of_an_environment_is_read_in_pages() {
    let dbt = TestSimulator::start().await;
    let query = "query ($id: BigInt!, $after: String) { environment(id: $id) { applied { models(first: 3, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } edges { node { name uniqueId executionInfo { lastRunStatus lastRunId } } } } } } }";
    for path in ["/graphql", "/graphql/", "/beta/graphql"] {
        let first = ask(&dbt, path, query, json!({ "id": acme::PRODUCTION_ENVIRONMENT_ID })).await;
        let models = &first["data"]["environment"]["applied"]["models"];
        assert_eq!(
            (&models["totalCount"], &models["pageInfo"]["hasNextPage"]),
            (&json!(4), &json!(true)),
            "{first}"
        );
        let variables = json!({ "id": acme::PRODUCTION_ENVIRONMENT_ID, "after": models["pageInfo"]["endCursor"] });
        let second = ask(&dbt, path, query, variables).await;
        let rest = &second["data"]["environment"]["applied"]["models"];
        assert_eq!(rest["pageInfo"]["hasNextPage"], false);
        let mut all = names(&models["edges"]);
        all.extend(names(&rest["edges"]));
        assert_eq!(all, ["customers", "daily_revenue", "stg_customers", "stg_orders"]);
        assert_eq!(
            models["edges"][0]["node"]["executionInfo"]["lastRunId"],
            acme::DOCS_RUN_ID
        );
    }
}

#[tokio::test]
async fn the_documented_example_is_answered_with_sources_tests_and_columns() {
    let dbt = TestSimulator::start().await;
    let query = "query Example { environment(id: ENV) { applied { models(first: 100) { edges { node {
        uniqueId, name, description, rawCode, compiledCode, database, schema, alias,
        executionInfo { executeCompletedAt, executionTime }, tests { name, executionInfo { lastRunStatus, lastRunError } },
        catalog { columns { name, description, type }, stats { label, value } },
        ancestors(types: [Source]) { name, ... on SourceAppliedStateNestedNode { freshness { maxLoadedAt, freshnessStatus } } },
        children { name, resourceType } } } totalCount } } definition { models(first: 100) { edges { node { name } } } } } }"
        .replace("ENV", &acme::PRODUCTION_ENVIRONMENT_ID.to_string());
    let answer = ask(&dbt, "/graphql", &query, Value::Null).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let edges = &answer["data"]["environment"]["applied"]["models"]["edges"];
    let customers = &edges[0]["node"];
    assert_eq!(customers["name"], "customers");
    assert_eq!(
        customers["ancestors"],
        json!([{ "name": "raw_orders", "freshness": {
        "maxLoadedAt": "2025-03-11T19:55:00+00:00", "freshnessStatus": "warn" } }])
    );
    assert!(
        customers["catalog"]["columns"]
            .as_array()
            .unwrap()
            .iter()
            .any(|column| column["name"] == "lifetime_value")
    );
    let staging = &edges[2]["node"];
    assert_eq!(staging["tests"].as_array().unwrap().len(), 3);
    assert_eq!(
        staging["children"],
        json!([{ "name": "customers", "resourceType": "model" }])
    );
}

#[tokio::test]
async fn a_failed_run_shows_in_its_environment_and_in_filters() {
    let dbt = TestSimulator::start().await;
    let query = "query ($id: BigInt!) { environment(id: $id) { applied {
        failed: tests(first: 10, filter: { status: fail }) { edges { node { name executionInfo { lastRunError } } } }
        skipped: models(first: 10, filter: { lastRunStatus: skipped }) { edges { node { name } } }
        sources(first: 10) { edges { node { name freshness { freshnessStatus } } } } } } }";
    let answer = ask(
        &dbt,
        "/graphql",
        query,
        json!({ "id": acme::FINANCE_ENVIRONMENT_ID.to_string() }),
    )
    .await;
    let applied = &answer["data"]["environment"]["applied"];
    assert_eq!(
        names(&applied["failed"]["edges"]),
        ["not_null_stg_customers_email"],
        "{answer}"
    );
    assert_eq!(names(&applied["skipped"]["edges"]), ["customers"]);
    assert_eq!(names(&applied["sources"]["edges"]), ["raw_orders"]);
}

#[tokio::test]
async fn queries_by_job_page_with_cursors_in_their_rows() {
    let dbt = TestSimulator::start().await;
    let query = "query ($job: BigInt!, $after: String) { metrics(jobId: $job, first: 2, after: $after) {
        uniqueId name packageName dimensions timeGrains runId paginationCursor } }";
    let first = ask(&dbt, "/graphql", query, json!({ "job": acme::NIGHTLY_JOB_ID })).await;
    let rows = first["data"]["metrics"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["uniqueId"]),
        (2, &json!("metric.acme_shop.revenue")),
        "{first}"
    );
    let after = json!({ "job": acme::NIGHTLY_JOB_ID, "after": rows[1]["paginationCursor"] });
    let rest = ask(&dbt, "/graphql", query, after).await;
    assert_eq!(rest["data"]["metrics"].as_array().unwrap().len(), 1);
    let nested = "query ($job: BigInt!, $run: BigInt) { job(id: $job, runId: $run) {
        models(first: 1) { name status } model(uniqueId: \"model.acme_shop.daily_revenue\") { name runId } } }";
    let variables = json!({ "job": acme::NIGHTLY_JOB_ID, "run": acme::SUCCEEDED_RUN_ID });
    let answer = ask(&dbt, "/graphql", nested, variables).await;
    assert_eq!(
        answer["data"]["job"]["model"],
        json!({ "name": "daily_revenue", "runId": acme::SUCCEEDED_RUN_ID })
    );
}

#[tokio::test]
async fn problems_are_in_errors_with_status_200() {
    let dbt = TestSimulator::start().await;
    let environment = json!({ "id": acme::PRODUCTION_ENVIRONMENT_ID });
    for (query, words) in [
        ("{ environment(id: 1) { id } }", "no permission"),
        ("{ nothing }", "nothing"),
        (
            "query ($id: BigInt!) { environment(id: $id) { applied { models(first: 501) { totalCount } } } }",
            "500",
        ),
        (
            "query ($id: BigInt!) { environment(id: $id) { applied { models { totalCount } } } }",
            "first",
        ),
        ("{ environment(id: ", "syntax"),
    ] {
        let answer = ask(&dbt, "/graphql", query, environment.clone()).await;
        let messages = answer["errors"].to_string().to_lowercase();
        assert!(messages.contains(words), "{query}: {answer}");
    }
    let foreign = ask(
        &dbt,
        "/graphql",
        "query ($id: BigInt!) { environment(id: $id) { id } }",
        json!({ "id": globex::ENVIRONMENT_ID }),
    )
    .await;
    assert!(foreign["errors"].is_array() && foreign["data"]["environment"].is_null());
}

#[tokio::test]
async fn the_schema_can_be_read_and_discovery_has_a_separate_limit() {
    let rate_limit = RateLimit {
        discovery_per_minute: Some(1),
        ..RateLimit::default()
    };
    let dbt = TestSimulator::with(Config {
        rate_limit,
        ..Config::frozen()
    })
    .await;
    let answer = ask(&dbt, "/graphql", "{ __schema { queryType { name } } }", Value::Null).await;
    assert_eq!(answer["data"]["__schema"]["queryType"]["name"], "Query");
    assert_eq!(
        dbt.post("/graphql", json!({ "query": "{ __typename }" })).await.status,
        429
    );
    assert_eq!(dbt.v2("").await.status, 200);
    dbt.running.change_switches(|switches| switches.beta_graphql = false);
    assert_eq!(
        dbt.post("/beta/graphql", json!({ "query": "{ __typename }" }))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_semantic_layer_query_is_polled_until_it_is_successful() {
    let dbt = TestSimulator::start().await;
    let create = "mutation ($env: BigInt!) { createQuery(environmentId: $env, metrics: [{ name: \"revenue\" }],
        groupBy: [{ name: \"metric_time\" }], where: [{ sql: \"1 = 1\" }]) { queryId } }";
    let made = ask(
        &dbt,
        "/api/graphql",
        create,
        json!({ "env": acme::PRODUCTION_ENVIRONMENT_ID }),
    )
    .await;
    let id = made["data"]["createQuery"]["queryId"].clone();
    assert!(id.is_string(), "{made}");
    let read =
        "query ($env: BigInt!, $id: String!, $page: Int) { query(environmentId: $env, queryId: $id, pageNum: $page) {
        status error sql totalPages plain: jsonResult(encoded: false) jsonResult } }";
    let variables = json!({ "env": acme::PRODUCTION_ENVIRONMENT_ID, "id": id, "page": 2 });
    let mut seen = Vec::new();
    let last = loop {
        let answer = ask(&dbt, "/api/graphql", read, variables.clone()).await["data"]["query"].clone();
        seen.push(answer["status"].as_str().unwrap().to_owned());
        if seen.last().unwrap() == "SUCCESSFUL" {
            break answer;
        }
        dbt.pass(1);
    };
    assert_eq!(seen, ["PENDING", "COMPILED", "RUNNING", "SUCCESSFUL"]);
    assert_eq!(last["totalPages"], 2);
    assert!(last["sql"].as_str().unwrap().contains("where 1 = 1"));
    let plain = last["plain"].as_str().unwrap();
    let table: Value = serde_json::from_str(plain).unwrap();
    assert_eq!(table["data"].as_array().unwrap().len(), 1_500 - 1_024);
    assert_eq!(
        BASE64_STANDARD.decode(last["jsonResult"].as_str().unwrap()).unwrap(),
        plain.as_bytes()
    );
}

#[tokio::test]
async fn a_semantic_layer_query_for_an_unknown_metric_fails() {
    let dbt = TestSimulator::start().await;
    let env = json!({ "env": acme::PRODUCTION_ENVIRONMENT_ID });
    let create = "mutation ($env: BigInt!) { createQuery(environmentId: $env, metrics: [{ name: \"moon_phase\" }]) { queryId } }";
    let id = ask(&dbt, "/api/graphql", create, env.clone()).await["data"]["createQuery"]["queryId"].clone();
    dbt.pass(5);
    let read = "query ($env: BigInt!, $id: String!) { query(environmentId: $env, queryId: $id) { status error } }";
    let answer = ask(
        &dbt,
        "/api/graphql",
        read,
        json!({ "env": acme::PRODUCTION_ENVIRONMENT_ID, "id": id }),
    )
    .await;
    assert_eq!(answer["data"]["query"]["status"], "FAILED");
    assert!(
        answer["data"]["query"]["error"]
            .as_str()
            .unwrap()
            .contains("moon_phase")
    );
    let list = "query ($env: BigInt!) { metrics(environmentId: $env) { name type dimensions { name type } } environmentInfo(environmentId: $env) { dialect } }";
    let answer = ask(&dbt, "/api/graphql", list, env).await;
    assert_eq!(answer["data"]["metrics"][0]["name"], "revenue");
    dbt.running
        .change_switches(|switches| switches.semantic_layer_takes_token = false);
    assert_eq!(
        dbt.post("/api/graphql", json!({ "query": "{ __typename }" }))
            .await
            .status,
        401
    );
}
