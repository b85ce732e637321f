//! The failure report of a run: which step failed, and which artifacts are read for it.

use dbt_api::ApiRequest;
use model::{RequestType, ResultsFile, RunFailure, RunId, Verdict};
use provider::{Outcome, ProviderError};
use serde_json::{Value, json};

use crate::support::{Reply, TestProvider, query};

const RUN: RunId = RunId(7);

/// A step that runs a command.
fn step(index: u32, status: i32, command: &str) -> Value {
    json!({"index": index, "status": status, "name": format!("Invoke dbt with `{command}`"),
        "run_step_command": {"dbt_command": command}, "started_at": "2026-03-04T05:00:00Z",
        "logs": format!("first line\n\u{1b}[31mthe end of {command}\u{1b}[0m\n")})
}

/// dbt Cloud with a run of that status and steps, and with the same results for every step.
fn run_with(status: i32, steps: &Value, results: Value) -> TestProvider {
    let run = json!({"id": 7, "status": status, "started_at": "2026-03-04T05:00:00Z", "run_steps": steps});
    TestProvider::with(move |_, request| {
        if request.path().contains("/artifacts/") {
            Reply::bare(&results)
        } else {
            Reply::ok(&run)
        }
    })
}

async fn failure(fixture: &TestProvider) -> Result<RunFailure, ProviderError> {
    let ctx = fixture.ctx(RequestType::GetRunFailure);
    fixture.provider.get_run_failure(ctx, RUN).await
}

fn artifact_and_step(request: &ApiRequest) -> (&str, Option<&str>) {
    let file = request.path().rsplit('/').next().unwrap();
    (file, query(request, "step"))
}

#[tokio::test]
async fn the_failed_step_is_the_last_one_in_error() {
    let steps = json!([
        step(4, 20, "dbt source freshness"),
        step(5, 10, "dbt seed"),
        step(6, 20, "dbt --warn-error build"),
        {"index": 7, "status": 20, "status_humanized": "Skipped", "name": "docs"},
    ]);
    let results = json!({"metadata": {"generated_at": "2026-03-04T05:00:01Z"}, "results": [
        {"unique_id": "model.a", "status": "error", "message": "no"}, {"status": "skipped"}, {"status": "success"},
    ]});
    let fixture = run_with(20, &steps, results);
    let failure = failure(&fixture).await.unwrap();
    assert_eq!(
        (failure.verdict, failure.step.unwrap().index),
        (Verdict::Failed, Some(6))
    );
    assert_eq!(failure.skipped_steps, ["docs"]);
    let nodes = failure.results.unwrap();
    assert_eq!(
        (nodes.artifact, nodes.count, nodes.failed_count, nodes.skipped_count),
        (ResultsFile::RunResults, 3, 1, 1)
    );
    assert_eq!(
        failure.log_tail.unwrap().text,
        "first line\nthe end of dbt --warn-error build"
    );
    assert!(failure.not_available.is_empty());
    assert_eq!(
        artifact_and_step(&fixture.dbt.requests()[1]),
        ("run_results.json", Some("6"))
    );
    let row = fixture.log.only_row();
    assert_eq!((row.attempts(), row.outcome()), (2, Some(Outcome::Succeeded)));
}

#[tokio::test]
async fn a_freshness_step_is_the_failed_one_if_no_later_step_failed() {
    let steps = json!([step(4, 20, "dbt source freshness"), step(5, 10, "dbt build")]);
    let fixture = run_with(20, &steps, json!({"results": []}));
    let failure = failure(&fixture).await.unwrap();
    assert_eq!(failure.step.unwrap().index, Some(4));
    assert_eq!(
        artifact_and_step(&fixture.dbt.requests()[1]),
        ("sources.json", Some("4"))
    );
}

#[tokio::test]
async fn a_successful_run_with_a_failed_freshness_step_succeeded() {
    let steps = json!([step(4, 20, "dbt source freshness"), step(5, 10, "dbt build")]);
    let fixture = run_with(10, &steps, json!({}));
    let failure = failure(&fixture).await.unwrap();
    assert_eq!((failure.verdict, failure.step), (Verdict::Succeeded, None));
    assert_eq!(fixture.dbt.count(), 1);
}

#[tokio::test]
async fn a_cancelled_run_names_the_first_step_that_was_interrupted() {
    let mut waiting = step(6, 30, "dbt test");
    waiting["started_at"] = Value::Null;
    let steps = json!([step(4, 20, "dbt source freshness"), step(5, 30, "dbt build"), waiting]);
    let fixture = run_with(
        30,
        &steps,
        json!({"results": [{"status": "error", "unique_id": "model.a"}]}),
    );
    let failure = failure(&fixture).await.unwrap();
    assert_eq!(
        (failure.verdict, failure.step.unwrap().index),
        (Verdict::Cancelled, Some(5))
    );
    assert_eq!(failure.results.unwrap().failed_count, 1, "saved results are reported");
}

#[tokio::test]
async fn a_failed_run_without_a_failed_step_is_reported_without_one() {
    for steps in [
        json!([]),
        Value::Null,
        json!([{"index": 4, "status": 77}]),
        json!("odd"),
    ] {
        let fixture = run_with(20, &steps, json!({}));
        let failure = failure(&fixture).await.unwrap();
        assert_eq!((failure.verdict, failure.step), (Verdict::Failed, None));
        let why = if steps.is_array() {
            "dbt Cloud names no step that failed."
        } else {
            "dbt Cloud sends no readable list of the run's steps."
        };
        assert_eq!(failure.not_available[0].why, why);
        assert_eq!(fixture.dbt.count(), 1);
    }
}

#[tokio::test]
async fn results_are_not_requested_for_steps_that_write_none() {
    let clone = json!({"index": 1, "status": 20, "name": "Clone git repository", "logs": ""});
    let mut unnumbered = step(0, 20, "dbt build");
    unnumbered["index"] = Value::Null;
    for (step, why) in [
        (clone, "The step runs no dbt command, so it has no results."),
        (step(3, 20, "dbt deps"), "`dbt deps` leaves no results."),
        (unnumbered, "dbt Cloud does not say which number the step has."),
    ] {
        let fixture = run_with(20, &json!([step]), json!({}));
        let failure = failure(&fixture).await.unwrap();
        assert_eq!(failure.not_available[0].why, why);
        assert_eq!(fixture.dbt.count(), 1);
    }
}

#[tokio::test]
async fn results_written_before_the_step_started_belong_to_an_earlier_step() {
    for (written, is_its_own) in [
        ("2026-03-04T04:59:59Z", false),
        ("2026-03-04 05:00:00+00:00", true),
        ("not a time", true),
    ] {
        let results = json!({"metadata": {"generated_at": written}, "results": []});
        let fixture = run_with(20, &json!([step(4, 20, "dbt build")]), results);
        let failure = failure(&fixture).await.unwrap();
        assert_eq!(failure.results.is_some(), is_its_own, "{written}");
        assert_eq!(failure.not_available.is_empty(), is_its_own, "{written}");
    }
}

#[tokio::test]
async fn the_report_is_cut_to_the_limits_of_the_settings() {
    let node = |number: usize| json!({"unique_id": format!("m{number}"), "status": "fail", "message": "m".repeat(100)});
    let nodes: Vec<_> = (1..=10).map(node).collect();
    let mut long = step(4, 20, "dbt build");
    long["logs"] = json!("one line of the log\n".repeat(1000));
    let fixture = run_with(20, &json!([long]), json!({ "results": nodes }));
    let failure = failure(&fixture).await.unwrap();
    let nodes = failure.results.unwrap();
    assert_eq!((nodes.failed.len(), nodes.failed_count), (3, 10));
    let message = nodes.failed[0].message.clone().unwrap();
    assert_eq!((message.text.len(), message.is_cut), (40, true));
    let tail = failure.log_tail.unwrap();
    assert_eq!(
        (tail.text.as_str(), tail.is_cut),
        ("one line of the log\none line of the log\none line of the log", true)
    );
}
