//! Artifacts: listed, downloaded completely or in ranges, streamed, and logged.

use std::time::Duration;

use futures::future::join_all;
use futures::stream::StreamExt as _;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::json;
use simulator::{Effect, Fault, acme};

use crate::support::{Answer, Caller, TestApp};

fn of_run(path: &str) -> String {
    format!("/runs/{}/artifacts/{path}", acme::SUCCEEDED_RUN_ID)
}

async fn with_header(caller: &Caller<'_>, path: &str, header: (reqwest::header::HeaderName, &str)) -> Answer {
    let (name, value) = header;
    let request = caller.request(Method::GET, path).header(name, value);
    caller.send(request).await
}

#[tokio::test]
async fn artifacts_of_a_run_are_listed_and_null_is_an_empty_list() {
    let app = TestApp::start().await;
    let path = format!("/runs/{}/artifacts", acme::SUCCEEDED_RUN_ID);
    let listed = app.viewer().get(&path).await;
    let names = listed.expect(200);
    let names = names.as_array().unwrap();
    for name in ["manifest.json", "run_results.json"] {
        assert!(names.contains(&json!(name)), "{names:?}");
    }
    let row = app.row_of(&listed).await;
    assert_eq!(
        (&row["run_id"], &row["request_type"]),
        (&json!(acme::SUCCEEDED_RUN_ID), &json!("list_run_artifacts"))
    );

    app.dbt.change_switches(|switches| switches.no_artifacts_is_null = true);
    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let queued = app.operator().post(&path, &json!({"cause": "x"})).await.expect(201);
    let none = app.viewer().get(&format!("/runs/{}/artifacts", queued["id"])).await;
    assert_eq!(none.expect(200), json!([]));
}

#[tokio::test]
async fn a_file_is_passed_on_unchanged_and_its_row_is_closed_after_the_last_byte() {
    let app = TestApp::start().await;
    let answer = app.viewer().get(&of_run("simulated/1MiB.bin")).await;
    assert_eq!(
        (answer.status, answer.header(CONTENT_LENGTH)),
        (StatusCode::OK, Some("1048576"))
    );
    assert!(answer.header(ETAG).is_some() && answer.header(CONTENT_TYPE).is_some());

    let row = app.closed_row(&answer.request_uuid()).await;
    assert_eq!(
        (&row["outcome"], &row["status_code"], &row["bytes"], &row["attempts"]),
        (&json!("succeeded"), &json!(200), &json!(1_048_576), &json!(1))
    );
    assert_eq!(row["template"], "/runs/{run_id}/artifacts/{path}");
    assert_eq!(row["args"]["path"], "simulated/1MiB.bin");
    let sent = &app.dbt.requests()[0];
    assert_eq!(
        sent.target,
        format!(
            "/api/v2/accounts/{}/runs/{}/artifacts/simulated/1MiB.bin",
            acme::ACCOUNT_ID,
            acme::SUCCEEDED_RUN_ID
        )
    );
}

#[tokio::test]
async fn step_selects_the_step_of_the_artifact() {
    let app = TestApp::start().await;
    let path = format!("/jobs/{}/runs", acme::DOCS_JOB_ID);
    let run = app.operator().post(&path, &json!({"cause": "x"})).await.expect(201);
    app.dbt.advance(Duration::from_hours(1));
    let results = format!("/runs/{}/artifacts/run_results.json", run["id"]);
    let last = app.viewer().get(&results).await.expect(200);
    assert_eq!(
        last["args"]["which"], "generate",
        "dbt Cloud's default is the last step"
    );
    let built = app.viewer().get(&format!("{results}?step=4")).await;
    assert_eq!(built.expect(200)["args"]["which"], "build");
    assert_eq!(app.closed_row(&built.request_uuid()).await["args"]["step"], 4);

    for bad in ["step=0", "step=-1", "step=last", "stop=4"] {
        let refused = app.viewer().get(&of_run(&format!("run_results.json?{bad}"))).await;
        refused.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn step_results_selects_the_last_build_step() {
    let app = TestApp::start().await;
    let results = format!("/runs/{}/artifacts/run_results.json?step=results", acme::DOCS_RUN_ID);
    let built = app.viewer().get(&results).await;
    assert_eq!(built.expect(200)["args"]["which"], "build");
    let row = app.closed_row(&built.request_uuid()).await;
    assert_eq!((&row["attempts"], &row["args"]["step"]), (&json!(2), &json!("results")));
    let reason = |index: usize| row["exchanges"][index]["why"].as_str().unwrap();
    assert_eq!((reason(0), reason(1)), ("look_up", "asked"));
    let target = app.dbt.requests().last().unwrap().target.clone();
    assert!(target.ends_with("/artifacts/run_results.json?step=4"), "{target}");

    // Its second command was skipped.
    let failed = format!("/runs/{}/artifacts", acme::FAILED_RUN_ID);
    let listed = app.viewer().get(&format!("{failed}?step=results")).await.expect(200);
    assert!(
        listed.as_array().unwrap().contains(&json!("run_results.json")),
        "{listed}"
    );
    let target = app.dbt.requests().last().unwrap().target.clone();
    assert!(target.ends_with("/artifacts/?step=4"), "{target}");
}

#[tokio::test]
async fn a_command_is_recognised_by_its_subcommand_at_any_position() {
    let app = TestApp::start().await;
    let commands = json!([
        "dbt --warn-error --log-level debug seed",
        "dbt compile",
        "dbt run-operation run",
        "dbt ls -s test"
    ]);
    let body = json!({"cause": "x", "steps_override": commands, "generate_docs_override": true});
    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let run = app.operator().post(&path, &body).await.expect(201);
    app.dbt.advance(Duration::from_hours(1));
    let path = format!("/runs/{}/artifacts/run_results.json?step=results", run["id"]);
    app.viewer().get(&path).await.expect(200);
    let target = app.dbt.requests().last().unwrap().target.clone();
    assert!(target.ends_with("/artifacts/run_results.json?step=4"), "{target}");
}

#[tokio::test]
async fn step_of_a_job_applies_to_its_latest_run_that_succeeded_or_failed() {
    let app = TestApp::start().await;
    let path = format!("/jobs/{}/artifacts/run_results.json", acme::DOCS_JOB_ID);
    assert_eq!(app.viewer().get(&path).await.expect(200)["args"]["which"], "generate");
    // A running run is skipped.
    let trigger = format!("/jobs/{}/runs", acme::DOCS_JOB_ID);
    app.operator().post(&trigger, &json!({"cause": "x"})).await.expect(201);
    for (step, which, attempts) in [("results", "build", 3), ("5", "generate", 2)] {
        let answer = app.viewer().get(&format!("{path}?step={step}")).await;
        assert_eq!(answer.expect(200)["args"]["which"], which);
        let row = app.closed_row(&answer.request_uuid()).await;
        assert_eq!(
            (&row["request_type"], &row["attempts"]),
            (&json!("get_job_artifact"), &json!(attempts))
        );
        assert_eq!(
            (&row["job_id"], &row["run_id"]),
            (&json!(acme::DOCS_JOB_ID), &json!(acme::DOCS_RUN_ID))
        );
    }
}

#[tokio::test]
async fn step_results_without_a_build_step_is_not_found() {
    let app = TestApp::start().await;
    let path = format!("/jobs/{}/runs", acme::BROKEN_JOB_ID);
    let run = app.operator().post(&path, &json!({"cause": "x"})).await.expect(201);
    app.dbt.advance(Duration::from_mins(5));
    for (path, detail) in [
        (
            format!("/runs/{}/artifacts/run_results.json", run["id"]),
            format!("No step of run {} has built anything", run["id"]),
        ),
        (
            format!("/runs/{}/artifacts", run["id"]),
            format!("No step of run {} has built anything", run["id"]),
        ),
        (
            format!("/jobs/{}/artifacts/run_results.json", acme::BROKEN_JOB_ID),
            format!("No step of run {} has built anything", run["id"]),
        ),
        (
            format!("/jobs/{}/artifacts/run_results.json", acme::FIRST_STORE_JOB_ID),
            format!("No run of job {} has succeeded or failed", acme::FIRST_STORE_JOB_ID),
        ),
    ] {
        let answer = app.viewer().get(&format!("{path}?step=results")).await;
        let problem = answer.problem(404, "no-results");
        assert!(problem["detail"].as_str().unwrap().starts_with(&detail), "{problem:#}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["outcome"], &row["status_code"]),
            (&json!("not_found"), &json!(200))
        );
    }
    let refused = app.viewer().get(&of_run("run_results.json?step=Results")).await;
    assert_eq!(
        refused.problem(400, "invalid-request")["detail"],
        "In the query: step: `Results`: a step is a number from 1 to 9999, or `results`."
    );
}

#[tokio::test]
async fn ranges_and_conditions_are_answered_by_dbt() {
    let app = TestApp::start().await;
    let file = of_run("simulated/1MiB.bin");
    let viewer = app.viewer();

    let part = with_header(&viewer, &file, (RANGE, "bytes=10-19")).await;
    assert_eq!(
        (part.status, part.header(CONTENT_RANGE), part.header(CONTENT_LENGTH)),
        (StatusCode::PARTIAL_CONTENT, Some("bytes 10-19/1048576"), Some("10"))
    );
    let beyond = with_header(&viewer, &file, (RANGE, "bytes=2000000-")).await;
    assert_eq!(
        (beyond.status, beyond.header(CONTENT_RANGE)),
        (StatusCode::RANGE_NOT_SATISFIABLE, Some("bytes */1048576"))
    );
    let etag = part.header(ETAG).unwrap().to_owned();
    let known = with_header(&viewer, &file, (IF_NONE_MATCH, &etag)).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(app.closed_row(&known.request_uuid()).await["outcome"], "succeeded");
}

#[tokio::test]
async fn only_headers_about_the_file_are_sent_to_dbt() {
    let app = TestApp::start().await;
    let viewer = app.viewer();
    let request = viewer
        .request(Method::GET, &of_run("manifest.json"))
        .header(ACCEPT_ENCODING, "br")
        .header("cookie", "session=1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("accept", "text/html");
    viewer.send(request).await;
    let sent = app.dbt.requests()[0].headers.clone();
    let value = |name: &str| {
        sent.iter()
            .find(|(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!((value("accept"), value("accept-encoding")), (Some("*/*"), Some("br")));
    assert_eq!((value("cookie"), value("x-forwarded-for")), (None, None));

    viewer.get(&of_run("manifest.json")).await;
    let sent = app.dbt.requests()[1].headers.clone();
    assert!(
        sent.iter().all(|(name, _)| name != "accept-encoding"),
        "the gateway adds no accept-encoding"
    );
}

#[tokio::test]
async fn the_latest_artifact_of_a_job_is_found() {
    let app = TestApp::start().await;
    let path = format!("/jobs/{}/artifacts/manifest.json", acme::NIGHTLY_JOB_ID);
    let answer = app.viewer().get(&path).await;
    assert!(answer.expect(200)["nodes"].is_object());
    let row = app.closed_row(&answer.request_uuid()).await;
    assert_eq!(
        (&row["job_id"], &row["request_type"]),
        (&json!(acme::NIGHTLY_JOB_ID), &json!("get_job_artifact"))
    );
}

#[rstest]
#[case::dots("..%2F..%2F42%2Fartifacts%2Fmanifest.json")]
#[case::encoded_dots("%2e%2e/manifest.json")]
#[case::empty_segment("a//b")]
#[case::backslash("a%5Cb")]
#[case::control("a%0Ab")]
#[tokio::test]
async fn an_ambiguous_path_is_refused(#[case] path: &str) {
    let app = TestApp::start().await;
    // reqwest normalises dots, so a raw socket is needed.
    let answer = raw_get(&app, &of_run(path)).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(app.dbt.requests().is_empty(), "dbt Cloud was contacted");
}

async fn raw_get(app: &TestApp, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let host = app.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(host).await.unwrap();
    let key = app.key(model::Role::Viewer);
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn unusual_file_names_are_encoded_correctly() {
    let app = TestApp::start().await;
    app.viewer()
        .get(&of_run("compiled/a%20b%3F%23%25ö.sql"))
        .await
        .problem(404, "not-found");
    let target = &app.dbt.requests()[0].target;
    assert!(
        target.ends_with("/artifacts/compiled/a%20b%3F%23%25%C3%B6.sql"),
        "{target}"
    );
}

#[tokio::test]
async fn a_missing_file_and_a_failing_dbt_are_problems_with_closed_rows() {
    let app = TestApp::start().await;
    let missing = app.viewer().get(&of_run("no_such.json")).await;
    missing.problem(404, "not-found");
    assert_eq!(app.row_of(&missing).await["outcome"], "not_found");

    app.dbt.add_fault(Fault::everywhere().status(503));
    let failing = app.viewer().get(&of_run("manifest.json")).await;
    failing.problem(502, "dbt-unavailable");
    let row = app.row_of(&failing).await;
    assert_eq!(
        (&row["outcome"], &row["attempts"]),
        (&json!("unexpected_status"), &json!(3))
    );
}

#[tokio::test]
async fn an_interrupted_download_aborts_the_connection_of_the_caller() {
    let app = TestApp::start().await;
    let keep_bytes = Some(300_000);
    app.dbt
        .add_fault(Fault::everywhere().effect(Effect::Truncate { keep_bytes }));
    let viewer = app.viewer();
    let request = viewer.request(Method::GET, &of_run("simulated/1MiB.bin"));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "the answer starts as a success");
    let name = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let error = response.bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode() || error.is_request(), "{error:?}");

    let row = app.closed_row(&name).await;
    assert_eq!(row["outcome"], "truncated");
    assert!(row["bytes"].as_i64().unwrap() <= 300_000, "{row:#}");
}

#[tokio::test]
async fn a_caller_that_disconnects_stops_the_download() {
    let app = TestApp::start().await;
    let viewer = app.viewer();
    let request = viewer.request(Method::GET, &of_run("simulated/1GiB.bin"));
    let response = request.send().await.unwrap();
    let name = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut body = response.bytes_stream();
    assert!(body.next().await.unwrap().is_ok());
    drop(body);

    let row = app.closed_row(&name).await;
    assert_eq!(row["outcome"], "caller_gone");
    assert!(row["bytes"].as_i64().unwrap() < 1 << 30, "{row:#}");
}

#[tokio::test]
async fn several_files_are_streamed_concurrently() {
    let app = TestApp::start().await;
    let viewer = app.viewer();
    let requests = (1..=8).map(|size| viewer.request(Method::GET, &of_run(&format!("simulated/{size}MiB.bin"))));
    let sizes =
        join_all(requests.map(async |request| request.send().await.unwrap().bytes().await.unwrap().len())).await;
    let expected: Vec<usize> = (1..=8).map(|size| size << 20).collect();
    assert_eq!(sizes, expected);
}
