//! Triggering a job: the fields of the body, and the answer.

use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{acme, globex};

use crate::support::{COMPANY, Setup, TestApp};

fn path() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

/// A gateway that sends the cause as it came.
fn without_markers() -> Setup {
    let mut setup = Setup::default();
    setup.trigger.marks = false;
    setup
}

/// The bodies of the triggers sent to dbt Cloud.
fn bodies_at_dbt(app: &TestApp) -> Vec<Value> {
    let trigger = format!(
        "/api/v2/accounts/{}/jobs/{}/run/",
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    );
    let requests = app.dbt.requests_to("POST", &trigger);
    assert!(requests.iter().all(|request| request.target == trigger));
    requests.iter().map(simulator::RecordedRequest::json).collect()
}

#[tokio::test]
async fn a_trigger_answers_the_new_run_and_its_location() {
    let app = TestApp::start().await;
    let answer = app
        .operator()
        .post(&path(), &json!({"cause": "Orders were reloaded"}))
        .await;
    let run = answer.expect(201);
    assert_eq!(
        (&run["status"], &run["job_definition_id"]),
        (&json!(1), &json!(acme::NIGHTLY_JOB_ID))
    );
    assert_eq!(answer.header(LOCATION), Some(format!("/runs/{}", run["id"]).as_str()));
    let read = app.viewer().get(answer.header(LOCATION).unwrap()).await.expect(200);
    assert_eq!(read["id"], run["id"]);
}

#[tokio::test]
async fn the_location_has_the_account_if_the_trigger_had_one() {
    let mut setup = Setup::default();
    setup
        .accounts
        .push((COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    let app = setup.start().await;
    let path = format!("/jobs/{}/runs?account_id={}", globex::JOB_ID, globex::ACCOUNT_ID);
    let answer = app.operator().post(&path, &json!({"cause": "x"})).await;
    let run = answer.expect(201);
    let location = format!("/runs/{}?account_id={}", run["id"], globex::ACCOUNT_ID);
    assert_eq!(answer.header(LOCATION), Some(location.as_str()));
    assert_eq!(app.viewer().get(&location).await.expect(200)["id"], run["id"]);
}

#[tokio::test]
async fn every_field_of_the_body_is_sent_to_dbt() {
    let app = without_markers().start().await;
    let full = json!({
        "cause": "all of them", "git_sha": "ccb1e5e", "git_branch": "feature/π", "azure_pull_request_id": 1,
        "github_pull_request_id": 2, "gitlab_merge_request_id": 3, "non_native_pull_request_id": 70_403_103_940_001_i64,
        "schema_override": "ci_4711", "dbt_version_override": "latest", "threads_override": 8,
        "target_name_override": "ci", "generate_docs_override": false, "timeout_seconds_override": 0,
        "steps_override": ["dbt deps", "dbt build --select 'orders+'"],
    });
    assert_eq!(full.as_object().unwrap().len(), 14);
    app.operator().post(&path(), &full).await.expect(201);
    let largest =
        json!({"cause": "the largest values", "threads_override": 1024, "timeout_seconds_override": 2_592_000});
    app.operator().post(&path(), &largest).await.expect(201);
    let nulls = full.as_object().unwrap().keys().map(|name| (name.clone(), Value::Null));
    let mut nulls: serde_json::Map<_, _> = nulls.collect();
    nulls.insert("cause".to_owned(), json!("null is the same as absent"));
    app.operator().post(&path(), &Value::Object(nulls)).await.expect(201);
    let only_the_cause = json!({"cause": "null is the same as absent"});
    assert_eq!(bodies_at_dbt(&app), [full, largest, only_the_cause]);
}

#[tokio::test]
async fn a_cause_is_limited_to_255_characters_and_not_bytes() {
    let app = without_markers().start().await;
    let causes = ["x", "é", "🦀"].map(|character| character.repeat(255));
    for cause in &causes {
        app.operator().post(&path(), &json!({"cause": cause})).await.expect(201);
        let longer = app
            .operator()
            .post(&path(), &json!({"cause": format!("{cause}é")}))
            .await;
        let problem = longer.problem(400, "invalid-request");
        assert_eq!(problem["errors"][0]["field"], "cause");
    }
    assert_eq!(bodies_at_dbt(&app), causes.map(|cause| json!({"cause": cause})));
}

#[tokio::test]
async fn invalid_fields_of_the_body_are_refused_by_name_before_dbt_is_contacted() {
    let app = TestApp::start().await;
    let broken = [
        ("cause", json!("")),
        ("git_sha", json!("")),
        ("git_branch", json!("")),
        ("azure_pull_request_id", json!(0)),
        ("github_pull_request_id", json!(-1)),
        ("gitlab_merge_request_id", json!(0)),
        ("non_native_pull_request_id", json!(0)),
        ("schema_override", json!("")),
        ("dbt_version_override", json!("")),
        ("threads_override", json!(0)),
        ("threads_override", json!(1025)),
        ("target_name_override", json!("")),
        ("timeout_seconds_override", json!(-1)),
        ("timeout_seconds_override", json!(2_592_001)),
        ("steps_override", json!([])),
        ("steps_override[1]", json!(["dbt build", ""])),
    ];
    for (field, value) in &broken {
        let name = field.split('[').next().unwrap();
        let mut body = json!({"cause": "x"});
        body[name] = value.clone();
        let problem = app
            .operator()
            .post(&path(), &body)
            .await
            .problem(400, "invalid-request");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem:#}");
        assert_eq!(problem["errors"][0]["field"], *field);
        assert!(!problem["errors"][0]["message"].as_str().unwrap().is_empty());
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem:#}");
    }
    let mut all: serde_json::Map<_, _> = broken
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    all.remove("steps_override[1]");
    let fields = all.len();
    let problem = app
        .operator()
        .post(&path(), &Value::Object(all))
        .await
        .problem(400, "invalid-request");
    assert_eq!(
        problem["errors"].as_array().unwrap().len(),
        fields,
        "all in one answer: {problem:#}"
    );
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn a_malformed_body_is_refused_with_the_position_of_the_error() {
    let app = TestApp::start().await;
    for (body, message) in [
        (r#"{"cause": 7}"#, "cause: invalid type: integer `7`, expected a string"),
        (
            r#"{"cause": "x", "threads_override": "4"}"#,
            "threads_override: invalid type: string",
        ),
        (
            r#"{"cause": "x", "steps_override": "dbt build"}"#,
            "steps_override: invalid type: string",
        ),
        (
            r#"{"cause": "x", "steps_override": ["a", 1]}"#,
            "steps_override[1]: invalid type: integer",
        ),
        (r#"{"git_sha": "abc"}"#, "missing field `cause`"),
        (
            r#"{"cause": "x", "schema_overide": "y"}"#,
            "unknown field `schema_overide`, expected one of `cause`",
        ),
        (r#"{"cause": "x", "cause": "y"}"#, "duplicate field `cause`"),
        (r#"["cause"]"#, "invalid length 1, expected struct TriggerJob"),
        ("null", "invalid type: null"),
        (r#"{"cause": "x""#, "EOF while parsing"),
        ("", "EOF while parsing"),
        (r#"{"cause": "x"} {}"#, "trailing characters"),
    ] {
        let answer = app.operator().post_text(&path(), "application/json", body).await;
        let problem = answer.problem(400, "invalid-request");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("In the body: ") && detail.contains(message),
            "{body}: {detail}"
        );
    }
    assert!(app.dbt.requests().is_empty());
    assert_eq!(app.rows().await.len(), 0);
}

#[tokio::test]
async fn a_body_in_another_media_type_is_refused() {
    let app = TestApp::start().await;
    let body = r#"{"cause": "x"}"#;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = app.operator().post_text(&path(), media_type, body).await;
        answer.problem(415, "unsupported-media-type");
    }
    let without = app.operator().request(Method::POST, &path());
    let answer = app.operator().send(without).await;
    answer.problem(415, "unsupported-media-type");
    assert!(app.dbt.requests().is_empty());
    for media_type in ["application/json; charset=utf-8", "application/merge-patch+json"] {
        let answer = app.operator().post_text(&path(), media_type, body).await;
        answer.expect(201);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_and_without_a_declared_length() {
    let mut setup = Setup::default();
    setup.server.max_body_bytes = 1024;
    let app = setup.start().await;
    let fits = format!("{:<1024}", r#"{"cause": "x"}"#);
    let too_long = format!("{fits} ");
    app.operator()
        .post_text(&path(), "application/json", fits)
        .await
        .expect(201);
    app.dbt.clear_requests();
    let declared = app
        .operator()
        .post_text(&path(), "application/json", too_long.clone())
        .await;
    let problem = declared.problem(413, "body-too-large");
    assert_eq!(problem["detail"], "The body is larger than server.max_body_bytes.");
    let chunks = futures::stream::iter(
        too_long
            .into_bytes()
            .chunks(100)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>(),
    );
    let chunks = futures::StreamExt::map(chunks, Ok::<_, std::io::Error>);
    let streamed = reqwest::Body::wrap_stream(chunks);
    let answer = app.operator().post_text(&path(), "application/json", streamed).await;
    answer.problem(413, "body-too-large");
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn without_a_key_bodies_are_not_validated() {
    let app = TestApp::start().await;
    let answer = app
        .without_key()
        .post_text("/jobs/x/runs?y=z", "text/plain", "junk")
        .await;
    answer.problem(401, "unauthenticated");
}
