//! Retries and reruns.

use serde_json::{Value, json};
use simulator::{JobOutcome, JobScript, RefusedRetry, acme};

use crate::support::{TestSimulator, v2};

async fn retry(dbt: &TestSimulator, run: i64) -> crate::support::Answer {
    dbt.post(&v2(&format!("runs/{run}/retry/")), json!({})).await
}

async fn reason(dbt: &TestSimulator, run: i64) -> Value {
    let run = dbt.v2(&format!("runs/{run}/")).await;
    assert_eq!(
        run.data()["can_retry"],
        run.data()["retry_not_supported_reason"].is_null()
    );
    run.data()["retry_not_supported_reason"].clone()
}

#[tokio::test]
async fn a_retry_runs_the_failed_and_the_skipped_steps() {
    let dbt = TestSimulator::start().await;
    let preview = dbt.v2(&format!("runs/{}/retry/", acme::FAILED_RUN_ID)).await;
    assert_eq!(
        preview.data(),
        &json!({
            "failed_step": "Invoke dbt with `dbt build --select marts`",
            "skipped_steps": ["Invoke dbt with `dbt test --select marts`"],
        })
    );
    let answer = retry(&dbt, acme::FAILED_RUN_ID).await;
    assert_eq!(answer.data()["retrying_run_id"], acme::FAILED_RUN_ID);
    let id = answer.data()["id"].as_i64().unwrap();
    let run = dbt.v2(&format!("runs/{id}/?include_related=run_steps,trigger")).await;
    let names: Vec<&str> = run.data()["run_steps"]
        .as_array()
        .unwrap()
        .iter()
        .skip(3)
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Invoke dbt with `dbt retry`",
            "Invoke dbt with `dbt test --select marts`"
        ]
    );
    assert_eq!(run.data()["trigger"]["cause_category"], "rerun");
    let original = dbt
        .v2(&format!("runs/{}/?include_related=run_retries", acme::FAILED_RUN_ID))
        .await;
    assert_eq!(original.data()["run_retries"][0]["id"], id);
}

#[tokio::test]
async fn a_run_that_cannot_be_retried_has_a_reason() {
    let dbt = TestSimulator::start().await;
    assert_eq!(reason(&dbt, acme::FAILED_RUN_ID).await, Value::Null);
    assert_eq!(reason(&dbt, acme::SUCCEEDED_RUN_ID).await, "RETRY_NOT_FAILED_RUN");
    let broken = dbt.trigger(acme::BROKEN_JOB_ID).await;
    dbt.pass(60);
    assert_eq!(reason(&dbt, broken).await, "RETRY_NO_RUN_RESULTS");

    let path = v2(&format!("jobs/{}/run/", acme::FAILING_JOB_ID));
    let old = dbt
        .post(&path, json!({ "cause": "old", "dbt_version_override": "1.5.0" }))
        .await;
    dbt.pass(60);
    assert_eq!(
        reason(&dbt, old.data()["id"].as_i64().unwrap()).await,
        "RETRY_UNSUPPORTED_VERSION"
    );
    assert_eq!(reason(&dbt, acme::FAILED_RUN_ID).await, "RETRY_NOT_LATEST_RUN");
    let freshness = dbt
        .post(
            &path,
            json!({ "cause": "new", "steps_override": ["dbt source freshness"] }),
        )
        .await;
    dbt.pass(60);
    assert_eq!(
        reason(&dbt, freshness.data()["id"].as_i64().unwrap()).await,
        "RETRY_UNSUPPORTED_CMD"
    );
}

#[tokio::test]
async fn a_second_retry_is_refused_or_changes_nothing_by_switch() {
    let dbt = TestSimulator::start().await;
    assert_eq!(retry(&dbt, acme::FAILED_RUN_ID).await.status, 200);
    let refused = retry(&dbt, acme::FAILED_RUN_ID).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.data()["retry_not_supported_reason"]),
        (400, &json!("RETRY_NOT_LATEST_RUN"))
    );
    dbt.running
        .change_switches(|switches| switches.refused_retry = RefusedRetry::Unchanged);
    assert_eq!(retry(&dbt, acme::FAILED_RUN_ID).await.data()["id"], acme::FAILED_RUN_ID);
}

#[tokio::test]
async fn a_rerun_retries_a_failure_and_otherwise_triggers_a_new_run() {
    let dbt = TestSimulator::start().await;
    let rerun = async |job: i64| {
        dbt.post(&v2(&format!("jobs/{job}/rerun/")), json!({}))
            .await
            .data()
            .clone()
    };
    let retried = rerun(acme::FAILING_JOB_ID).await;
    assert_eq!(retried["retrying_run_id"], acme::FAILED_RUN_ID);
    let anew = rerun(acme::NIGHTLY_JOB_ID).await;
    assert_eq!(anew["retrying_run_id"], Value::Null);
}

#[tokio::test]
async fn a_flaky_job_succeeds_when_it_is_retried() {
    let dbt = TestSimulator::start().await;
    let first = dbt.trigger(acme::FLAKY_JOB_ID).await;
    dbt.pass(60);
    assert_eq!(dbt.status_of(first).await, "Error");
    let second = retry(&dbt, first).await.data()["id"].as_i64().unwrap();
    dbt.pass(60);
    assert_eq!(dbt.status_of(second).await, "Success");
}

#[tokio::test]
async fn a_cancellation_after_the_end_of_a_run_has_no_effect() {
    let dbt = TestSimulator::start().await;
    dbt.running.set_script(
        acme::HOURLY_JOB_ID,
        JobScript {
            command_secs: Some(1),
            outcome: JobOutcome::Succeed,
        },
    );
    let run = dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(8);
    let cancelled = dbt.post(&v2(&format!("runs/{run}/cancel/")), json!({})).await;
    assert_eq!(cancelled.data()["status"], 3);
    dbt.pass(10);
    assert_eq!(dbt.status_of(run).await, "Success");
}
