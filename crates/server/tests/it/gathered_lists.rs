//! Gathered lists of the Discovery API and tables of the Semantic Layer: whole or an error.

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Fault, FaultBody, acme};

use crate::support::{Answer, TestApp};

const MODELS: &str = "query ($id: BigInt!, $first: Int!, $after: String) { environment(id: $id) { applied { \
    models(first: $first, after: $after) { edges { node { name } } pageInfo { hasNextPage endCursor } totalCount } } } }";
const JOB_MODELS: &str = "query ($id: BigInt!, $first: Int, $after: String) { job(id: $id) { models(first: $first, after: $after) { name paginationCursor } } }";
const LIST: &str = "/data/environment/applied/models";

fn body(query: &str, id: i64, gather: &str) -> Value {
    json!({"query": query, "gather": gather, "variables": {"id": id, "first": 2}})
}

async fn models(app: &TestApp) -> Answer {
    let body = body(MODELS, acme::PRODUCTION_ENVIRONMENT_ID, "environment.applied.models");
    app.viewer().post("/metadata/query", &body).await
}

async fn job_models(app: &TestApp) -> Answer {
    let body = body(JOB_MODELS, acme::NIGHTLY_JOB_ID, "job.models");
    app.viewer().post("/metadata/query", &body).await
}

fn second() -> Fault {
    Fault::on("POST", "/graphql").after(1).once()
}

fn sends(body: &Value) -> Fault {
    let custom = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: body.to_string(),
    };
    second().answer(200, custom)
}

#[rstest]
#[case::the_environment(sends(&json!({"data": {"environment": null}})))]
#[case::all_data(sends(&json!({"data": null})))]
#[case::what_is_applied(second().set("/data/environment/applied", Value::Null))]
#[case::the_list(second().set(LIST, Value::Null))]
#[case::the_edges(second().set(&format!("{LIST}/edges"), Value::Null))]
#[case::the_page_info(second().set(&format!("{LIST}/pageInfo"), Value::Null))]
#[case::whether_it_continues(second().set(&format!("{LIST}/pageInfo/hasNextPage"), Value::Null))]
#[case::on_the_first_page(Fault::on("POST", "/graphql").once().set(&format!("{LIST}/pageInfo/endCursor"), Value::Null))]
#[case::edges_of_the_first_page(Fault::on("POST", "/graphql").once().set(&format!("{LIST}/edges"), Value::Null))]
#[case::an_early_end(Fault::on("POST", "/graphql").once().set(&format!("{LIST}/pageInfo/hasNextPage"), false))]
#[case::no_rows(Fault::on("POST", "/graphql").once().set(&format!("{LIST}/edges"), json!([])))]
#[case::a_row_less(second().remove(&format!("{LIST}/edges/0")))]
#[tokio::test]
async fn null_or_less_than_promised_is_dbts_failure_and_no_end_of_the_list(#[case] fault: Fault) {
    let app = TestApp::start().await;
    let whole = models(&app).await.expect(200);
    app.dbt.add_fault(fault);
    let answer = models(&app).await;
    answer.problem(502, "dbt-unavailable");
    assert_eq!(app.row_of(&answer).await["outcome"], "decode");
    app.dbt.clear_faults();
    assert_eq!(models(&app).await.expect(200), whole);
}

#[tokio::test]
async fn what_the_first_answer_does_not_have_is_returned_as_it_is() {
    let app = TestApp::start().await;
    for pointer in ["/data/environment", "/data/environment/applied", LIST] {
        app.dbt
            .add_fault(Fault::on("POST", "/graphql").once().set(pointer, Value::Null));
        let answer = models(&app).await.expect(200);
        assert_eq!(answer.pointer(pointer), Some(&Value::Null), "{answer:#}");
    }
}

#[tokio::test]
async fn cursors_that_repeat_end_in_an_error_and_not_in_a_loop() {
    let app = TestApp::start().await;
    // Every page names the same next one; the query passes `$after` on.
    let cursor = format!("{LIST}/pageInfo/endCursor");
    app.dbt
        .add_fault(Fault::on("POST", "/graphql").after(1).set(&cursor, "a"));
    app.dbt.add_fault(
        Fault::on("POST", "/graphql")
            .after(1)
            .set(&format!("{LIST}/pageInfo/hasNextPage"), true),
    );
    let answer = models(&app).await;
    assert!(
        answer.status.is_client_error() || answer.status == 502,
        "{}",
        answer.text
    );
    assert!(app.row_of(&answer).await["attempts"].as_u64().unwrap() < 5);
}

#[tokio::test]
async fn a_list_of_a_job_that_is_shorter_than_requested_is_continued() {
    let app = TestApp::start().await;
    let whole = job_models(&app).await.expect(200);
    let rows = whole["data"]["job"]["models"].as_array().unwrap().len();
    assert!(rows > 2);
    // A server that sends fewer rows than requested: the second row of each page is missing there, and comes with the next.
    app.dbt
        .add_fault(Fault::on("POST", "/graphql").remove("/data/job/models/1"));
    assert_eq!(job_models(&app).await.expect(200), whole);
    app.dbt.clear_faults();
    for (pointer, value) in [
        ("/data/job", Value::Null),
        ("/data/job/models", Value::Null),
        ("/data/job/models/1/paginationCursor", Value::Null),
    ] {
        app.dbt.add_fault(second().set(pointer, value));
        job_models(&app).await.problem(502, "dbt-unavailable");
        app.dbt.clear_faults();
    }
}

#[tokio::test]
async fn a_table_is_whole_or_an_error() {
    let app = TestApp::start().await;
    app.dbt.set_time_scale(100_000.0);
    let body = json!({
        "environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "metrics": ["revenue"], "group_by": [{"name": "metric_time"}],
    });
    let table = async || app.viewer().post("/semantic-layer/query", &body).await;
    assert_eq!(table().await.expect(200)["rows"].as_array().unwrap().len(), 1500);
    let frame = |columns: Value, rows: Value| {
        json!({"schema": {"fields": columns, "primaryKey": []}, "data": rows}).to_string()
    };
    let column = json!([{"name": "METRIC_TIME", "type": "string"}]);
    for fault in [
        Fault::everywhere().set("/data/query/totalPages", Value::Null),
        Fault::everywhere().set("/data/query/jsonResult", Value::Null),
        Fault::everywhere().set("/data/query/totalPages", 3),
        Fault::everywhere().after(2).set("/data/query", Value::Null),
        Fault::everywhere().set("/data/createQuery", Value::Null),
        Fault::everywhere().set("/data/query/jsonResult", frame(column, json!([{}]))),
    ] {
        app.dbt.add_fault(fault.clone());
        let answer = table().await;
        assert_eq!(answer.status.as_u16(), 502, "{fault:?}: {}", answer.text);
        app.dbt.clear_faults();
    }
}
