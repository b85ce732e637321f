//! Faults and the requests that they apply to.

use reqwest::Method;
use serde_json::json;
use simulator::{Effect, Fault, FaultBody, acme};

use crate::support::{TestSimulator, v2};

fn trigger_path() -> String {
    v2(&format!("jobs/{}/run/", acme::NIGHTLY_JOB_ID))
}

async fn runs_of_the_job(dbt: &TestSimulator) -> usize {
    dbt.v2(&format!(
        "runs/?job_definition_id={}&status__in=%5B1,2,3%5D",
        acme::NIGHTLY_JOB_ID
    ))
    .await
    .ids()
    .len()
}

#[tokio::test]
async fn a_status_is_answered_the_set_number_of_times_without_the_work() {
    let dbt = TestSimulator::start().await;
    dbt.running.add_fault(
        Fault::on("POST", &trigger_path())
            .times(2)
            .status(503)
            .header("retry-after", "7"),
    );
    for _ in 0..2 {
        let answer = dbt.post(&trigger_path(), json!({ "cause": "x" })).await;
        assert_eq!(
            (answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()),
            (503, "7")
        );
        assert_eq!(answer.json["status"]["code"], 503);
    }
    assert_eq!(runs_of_the_job(&dbt).await, 0);
    assert_eq!(dbt.post(&trigger_path(), json!({ "cause": "x" })).await.status, 200);
    assert_eq!(runs_of_the_job(&dbt).await, 1);
}

#[tokio::test]
async fn the_body_of_a_fault_has_every_form() {
    let dbt = TestSimulator::start().await;
    let custom = FaultBody::Custom {
        content_type: "text/plain".to_owned(),
        body: "busy".to_owned(),
    };
    let message = FaultBody::Message {
        user_message: "Busy".to_owned(),
    };
    for (body, text) in [
        (FaultBody::Envelope, "\"is_success\":false"),
        (message, "\"user_message\":\"Busy\""),
        (FaultBody::Html, "<h1>502 Bad Gateway</h1>"),
        (FaultBody::Malformed, "is_success\": tr"),
        (custom, "busy"),
    ] {
        dbt.running.add_fault(Fault::everywhere().once().answer(502, body));
        let answer = dbt.v2("jobs/").await;
        assert_eq!(answer.status, 502);
        assert!(answer.text.contains(text), "{text}: {}", answer.text);
    }
    dbt.running
        .add_fault(Fault::everywhere().once().answer(500, FaultBody::Empty));
    assert_eq!(dbt.v2("jobs/").await.text, "");
}

#[tokio::test]
async fn a_reset_before_the_work_starts_no_run() {
    let dbt = TestSimulator::start().await;
    dbt.running
        .add_fault(Fault::on("POST", &trigger_path()).once().reset_before());
    let error = dbt
        .try_send(Method::POST, &trigger_path(), Some(json!({ "cause": "x" })))
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    assert_eq!(runs_of_the_job(&dbt).await, 0);
}

#[tokio::test]
async fn a_reset_after_the_work_loses_only_the_answer() {
    let dbt = TestSimulator::start().await;
    dbt.running
        .add_fault(Fault::on("POST", &trigger_path()).once().reset_after());
    let error = dbt
        .try_send(Method::POST, &trigger_path(), Some(json!({ "cause": "x" })))
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    assert_eq!(runs_of_the_job(&dbt).await, 1);
    let recorded = dbt.running.requests_to("POST", &trigger_path());
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].status, None);
    assert_eq!(
        recorded[0].operation,
        Some("/api/v2/accounts/{account_id}/jobs/{job_id}/run/")
    );
}

#[tokio::test]
async fn an_error_answer_may_follow_completed_work() {
    let dbt = TestSimulator::start().await;
    dbt.running.add_fault(
        Fault::on("POST", &trigger_path())
            .once()
            .answer(504, FaultBody::Html)
            .work_done(),
    );
    assert_eq!(dbt.post(&trigger_path(), json!({ "cause": "x" })).await.status, 504);
    assert_eq!(runs_of_the_job(&dbt).await, 1);
}

#[tokio::test]
async fn a_truncated_body_is_incomplete_and_a_malformed_one_is_not() {
    let dbt = TestSimulator::start().await;
    dbt.running.add_fault(
        Fault::everywhere()
            .once()
            .effect(Effect::Truncate { keep_bytes: Some(10) }),
    );
    let error = dbt.try_send(Method::GET, &v2("jobs/"), None).await.unwrap_err();
    assert!(error.is_body() || error.is_decode() || error.is_request(), "{error:?}");
    dbt.running
        .add_fault(Fault::everywhere().once().effect(Effect::MalformedJson));
    let answer = dbt.v2("jobs/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.starts_with('{') && answer.json.is_null());
}

#[tokio::test]
async fn a_truncated_body_declares_the_whole_length_and_sends_the_set_number_of_bytes() {
    let dbt = TestSimulator::start().await;
    let whole = dbt.v2("jobs/").await.text.len();
    dbt.running
        .add_fault(Fault::everywhere().once().effect(Effect::Truncate {
            keep_bytes: Some(1_000),
        }));
    let request = dbt.client.get(format!("{}{}", dbt.running.base_url(), v2("jobs/")));
    let mut answer = request
        .header("authorization", format!("Token {}", acme::TOKEN))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.content_length(), u64::try_from(whole).ok());
    let mut arrived = 0;
    let broken = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => arrived += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert_eq!((arrived, broken), (1_000, true));
}

#[tokio::test]
async fn unknown_statuses_and_fields_are_written_into_the_answer() {
    let dbt = TestSimulator::start().await;
    let strange = Effect::RunStatus {
        status: 42,
        humanized: "Hibernating".to_owned(),
    };
    dbt.running.add_fault(Fault::on("GET", &v2("runs/")).effect(strange));
    dbt.running
        .add_fault(Fault::on("GET", &v2("")).effect(Effect::UnknownFields));
    let run = dbt.v2(&format!("runs/{}/", acme::SUCCEEDED_RUN_ID)).await;
    assert_eq!(
        (run.data()["status"].as_i64(), run.data()["status_humanized"].as_str()),
        (Some(42), Some("Hibernating"))
    );
    assert!(run.data()["a_field_of_next_year"].is_object());
    let jobs = dbt.v2("jobs/?limit=2").await;
    assert!(
        jobs.data()
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["a_field_of_next_year"].is_object() && job["status"].is_null())
    );
    dbt.running.clear_faults();
    assert_eq!(dbt.status_of(acme::SUCCEEDED_RUN_ID).await, "Success");
}

#[tokio::test]
async fn one_run_may_be_hidden_while_others_are_not() {
    let dbt = TestSimulator::start().await;
    dbt.running.add_fault(
        Fault::on("POST", &v2("jobs/"))
            .once()
            .effect(Effect::HideRun { seconds: 30 }),
    );
    let hidden = dbt.trigger(acme::NIGHTLY_JOB_ID).await;
    let plain = dbt.trigger(acme::HOURLY_JOB_ID).await;
    assert_eq!(dbt.v2(&format!("runs/{hidden}/")).await.status, 404);
    assert!(!dbt.v2("runs/?order_by=-id&limit=5").await.ids().contains(&hidden));
    assert_eq!(dbt.v2(&format!("runs/{plain}/")).await.status, 200);
    dbt.pass(30);
    assert_eq!(dbt.v2(&format!("runs/{hidden}/")).await.status, 200);
}

#[tokio::test]
async fn a_caller_that_disconnects_before_delayed_work_starts_no_run() {
    let dbt = TestSimulator::start().await;
    dbt.running
        .add_fault(Fault::on("POST", &trigger_path()).once().delay_before_ms(600_000));
    let url = format!("{}{}", dbt.running.base_url(), trigger_path());
    let request = dbt
        .client
        .post(url)
        .header("authorization", format!("Token {}", acme::TOKEN))
        .json(&json!({ "cause": "x" }));
    let sent = tokio::spawn(request.send());
    while dbt.running.requests_to("POST", &trigger_path()).is_empty() {
        tokio::task::yield_now().await;
    }
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    assert_eq!(runs_of_the_job(&dbt).await, 0);
}
