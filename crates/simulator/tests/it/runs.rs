//! The life of a run.

use serde_json::{Value, json};
use simulator::{AccountPlan, CancelFinishedRun, Config, Fault, JobOutcome, JobScript, LongCause, Seed, acme};

use crate::support::{TestSimulator, v2};

#[tokio::test]
async fn a_run_passes_from_queued_to_success_as_time_passes() {
    let dbt = TestSimulator::start().await;
    let run = dbt.trigger(acme::HOURLY_JOB_ID).await;
    let mut seen = vec![dbt.status_of(run).await];
    for seconds in [2, 3, 15] {
        dbt.pass(seconds);
        seen.push(dbt.status_of(run).await);
    }
    assert_eq!(seen, ["Queued", "Starting", "Running", "Success"]);
    let finished = dbt
        .v2(&format!("runs/{run}/?include_related=run_steps,job,trigger"))
        .await;
    assert_eq!(finished.data()["duration"], "00:00:20");
    assert_eq!(finished.data()["run_duration_humanized"], "15 seconds");
    assert_eq!(finished.data()["trigger"]["cause"], "test");
    assert_eq!(finished.data()["job"]["id"], acme::HOURLY_JOB_ID);
    let names: Vec<&str> = finished.data()["run_steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names.last().unwrap(),
        &"Invoke dbt with `dbt build --select tag:hourly`"
    );
    assert_eq!(names.len(), 4);
}

#[tokio::test]
async fn a_failing_command_ends_the_run_and_skips_the_rest() {
    let dbt = TestSimulator::start().await;
    let run = dbt.trigger(acme::FAILING_JOB_ID).await;
    dbt.pass(60);
    let run = dbt
        .v2(&format!("runs/{run}/?include_related=%5B%22run_steps%22%5D"))
        .await;
    assert_eq!(
        (run.data()["status"].as_i64(), run.data()["is_error"].as_bool()),
        (Some(20), Some(true))
    );
    let words: Vec<&str> = run.data()["run_steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["status_humanized"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["Success", "Success", "Success", "Error", "Skipped"]);
    assert!(run.data()["run_steps"][3]["logs"].as_str().unwrap().contains("ERROR"));
    assert_eq!(run.data()["can_retry"], true);
}

#[tokio::test]
async fn runs_of_a_job_wait_for_each_other_and_ci_runs_do_not() {
    let dbt = TestSimulator::start().await;
    let first = dbt.trigger(acme::HOURLY_JOB_ID).await;
    let second = dbt.trigger(acme::HOURLY_JOB_ID).await;
    let other = dbt.trigger(acme::NIGHTLY_JOB_ID).await;
    let path = v2(&format!("jobs/{}/run/", acme::HOURLY_JOB_ID));
    let ci = dbt
        .post(&path, json!({ "cause": "pull request", "github_pull_request_id": 7 }))
        .await
        .data()["id"]
        .as_i64()
        .unwrap();
    dbt.pass(10);
    let statuses = [
        dbt.status_of(first).await,
        dbt.status_of(second).await,
        dbt.status_of(other).await,
        dbt.status_of(ci).await,
    ];
    assert_eq!(statuses, ["Running", "Queued", "Running", "Running"]);
    assert_eq!(
        dbt.v2(&format!("runs/{second}/")).await.data()["blocked_by"],
        json!([first])
    );
    dbt.pass(11);
    assert_eq!(
        [dbt.status_of(first).await, dbt.status_of(second).await],
        ["Success", "Starting"]
    );
}

#[tokio::test]
async fn cancelling_takes_effect_after_a_delay_and_the_next_run_starts() {
    let dbt = TestSimulator::start().await;
    let first = dbt.trigger(acme::SLOW_JOB_ID).await;
    let second = dbt.trigger(acme::SLOW_JOB_ID).await;
    dbt.pass(30);
    let answer = dbt.post(&v2(&format!("runs/{first}/cancel/")), json!({})).await;
    assert_eq!(
        (answer.status.as_u16(), answer.data()["status"].as_i64()),
        (200, Some(3))
    );
    dbt.pass(2);
    assert_eq!(
        [dbt.status_of(first).await, dbt.status_of(second).await],
        ["Cancelled", "Starting"]
    );
    let queued = dbt.trigger(acme::SLOW_JOB_ID).await;
    let answer = dbt.post(&v2(&format!("runs/{queued}/cancel/")), json!({})).await;
    assert_eq!(answer.data()["status_message"], "Cancelled by user.");
    assert_eq!(answer.data()["started_at"], Value::Null);
}

#[tokio::test]
async fn cancelling_a_finished_run_changes_nothing_or_is_refused_by_switch() {
    let dbt = TestSimulator::start().await;
    let path = v2(&format!("runs/{}/cancel/", acme::SUCCEEDED_RUN_ID));
    assert_eq!(dbt.post(&path, json!({})).await.data()["status"], 10);
    dbt.running
        .change_switches(|switches| switches.cancel_finished_run = CancelFinishedRun::Refuse);
    assert_eq!(dbt.post(&path, json!({})).await.status, 400);
}

#[tokio::test]
async fn a_trigger_body_is_checked_field_by_field() {
    let dbt = TestSimulator::start().await;
    let path = v2(&format!("jobs/{}/run/", acme::HOURLY_JOB_ID));
    let answer = dbt
        .post(&path, json!({ "git_sha": 7, "steps_override": "dbt run" }))
        .await;
    assert_eq!(answer.status, 400);
    let mut fields: Vec<&String> = answer.data().as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["cause", "git_sha", "steps_override"]);
    let long = "x".repeat(300);
    assert_eq!(dbt.post(&path, json!({ "cause": long })).await.status, 400);
    dbt.running
        .change_switches(|switches| switches.long_cause = LongCause::Truncate);
    let run = dbt
        .post(
            &path,
            json!({ "cause": long, "git_branch": null, "steps_override": ["dbt run -s orders"] }),
        )
        .await;
    let run = dbt
        .v2(&format!("runs/{}/?include_related=trigger,run_steps", run.data()["id"]))
        .await;
    assert_eq!(run.data()["trigger"]["cause"].as_str().unwrap().len(), 255);
    assert_eq!(
        run.data()["run_steps"][3]["name"],
        "Invoke dbt with `dbt run -s orders`"
    );
}

#[tokio::test]
async fn a_script_decides_how_the_next_runs_go() {
    let dbt = TestSimulator::start().await;
    let outcome = JobOutcome::Fail {
        command: 1,
        runs: Some(1),
    };
    assert!(dbt.running.set_script(
        acme::HOURLY_JOB_ID,
        JobScript {
            command_secs: Some(600),
            outcome
        }
    ));
    assert!(!dbt.running.set_script(1, JobScript::default()));
    let first = dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(500);
    assert_eq!(dbt.status_of(first).await, "Running");
    dbt.pass(200);
    assert_eq!(dbt.status_of(first).await, "Error");
    let second = dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.pass(700);
    assert_eq!(dbt.status_of(second).await, "Success");
}

#[tokio::test]
async fn simulated_time_passes_sixty_times_as_fast_when_scaled() {
    let dbt = TestSimulator::start().await;
    let run = dbt.trigger(acme::HOURLY_JOB_ID).await;
    dbt.running.set_time_scale(3_600.0);
    // Waits for the event; the scale only changes how long that takes.
    while dbt.status_of(run).await != "Success" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_new_run_may_be_hidden_for_a_time() {
    let dbt = TestSimulator::start().await;
    dbt.running.change_switches(|switches| switches.run_hidden_secs = 5);
    let run = dbt.trigger(acme::HOURLY_JOB_ID).await;
    assert_eq!(dbt.v2(&format!("runs/{run}/")).await.status, 404);
    dbt.pass(5);
    assert_eq!(dbt.v2(&format!("runs/{run}/")).await.status, 200);
}

#[tokio::test]
async fn an_account_runs_at_most_as_many_jobs_as_it_has_slots() {
    let plan = AccountPlan::new(91_000_000_000_000, "Small")
        .token("fake-small")
        .jobs_per_project(3)
        .run_slots(2);
    let mut dbt = TestSimulator::with(Config::frozen().with_seed(Seed::account(plan.clone()))).await;
    dbt.token = "fake-small";
    let base = format!("/api/v2/accounts/{}", plan.id());
    let mut runs = Vec::new();
    for job in 0..3 {
        let path = format!("{base}/jobs/{}/run/", plan.job_id(0, job));
        runs.push(dbt.post(&path, json!({ "cause": "slots" })).await.data()["id"].clone());
    }
    let statuses = async || {
        let mut all = Vec::new();
        for run in &runs {
            let answer = dbt.get(&format!("{base}/runs/{run}/")).await;
            all.push(answer.data()["status_humanized"].as_str().unwrap().to_owned());
        }
        all
    };
    dbt.pass(10);
    assert_eq!(statuses().await, ["Running", "Running", "Queued"]);
    dbt.pass(11);
    assert_eq!(statuses().await, ["Success", "Success", "Starting"]);
}

#[tokio::test]
async fn two_simulators_in_one_process_share_no_state() {
    let (one, other) = (TestSimulator::start().await, TestSimulator::start().await);
    one.running.add_fault(Fault::everywhere().status(503));
    one.pass(3_600);
    let run = other.trigger(acme::HOURLY_JOB_ID).await;
    assert_eq!(other.status_of(run).await, "Queued");
    assert_eq!(one.v2(&format!("runs/{run}/")).await.status, 503);
    one.running.clear_faults();
    assert_eq!(one.v2(&format!("runs/{run}/")).await.status, 404);
    assert_eq!(one.running.requests().len(), 2);
}
