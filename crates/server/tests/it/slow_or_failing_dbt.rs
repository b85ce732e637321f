//! A dbt Cloud that fails for a while or answers late: circuit breaker, budget of retries, the caller's own time limit.

use std::time::Duration;

use model::{CompanyId, Role};
use provider::BreakerSettings;
use serde_json::json;
use simulator::{Fault, acme};

use crate::support::{COMPANY, Setup, TestApp};

const RUN: &str = "/runs/70403104000901";

fn breaking(min_open: Duration) -> Setup {
    let mut setup = Setup {
        retry_budget_percent: 0,
        min_retries_per_sec: 0,
        ..Setup::default()
    };
    setup.breaker = BreakerSettings {
        min_exchanges: 5,
        min_open,
        ..BreakerSettings::default()
    };
    setup
}

/// Makes dbt Cloud fail until nothing is sent any more.
async fn open_circuit(app: &TestApp) {
    let failing = app.dbt.add_fault(Fault::everywhere().status(500));
    for _ in 0..5 {
        app.viewer().get(RUN).await.problem(502, "dbt-unavailable");
    }
    app.dbt.remove_fault(failing);
    app.dbt.clear_requests();
}

#[tokio::test]
async fn after_many_errors_nothing_is_sent_and_the_refusal_says_for_how_long() {
    let app = breaking(Duration::from_secs(90)).start().await;
    open_circuit(&app).await;
    let read = app.viewer().get(RUN).await;
    let problem = read.problem(503, "dbt-circuit-open");
    let seconds: u64 = read.header("retry-after").unwrap().parse().unwrap();
    assert!((80..=90).contains(&seconds), "{problem}");
    let row = app.row_of(&read).await;
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("refused"), &json!(0)));
    assert_eq!((&row["served_from"], &row["status_code"]), (&json!(null), &json!(null)));

    let trigger = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let refused = app.operator().post(&trigger, &json!({"cause": "now"})).await;
    refused.problem(503, "dbt-circuit-open");
    assert!(refused.detail().contains("was not sent"), "{}", refused.detail());
    let relayed = app
        .viewer()
        .get(&format!("/api/v2/accounts/{}/runs/", acme::ACCOUNT_ID))
        .await;
    assert_eq!(relayed.status, 503);
    assert_eq!(
        relayed.json()["status"]["code"],
        503,
        "dbt Cloud's envelope: {relayed:#?}"
    );
    assert_eq!(app.dbt.requests().len(), 0);
    let budget = app.viewer().get("/budget").await.expect(200);
    let circuit = &budget["circuits"][0];
    assert_eq!(
        (&circuit["state"], &circuit["api"]),
        (&json!("open"), &json!("dbt_cloud_administrative")),
        "{budget}"
    );
    assert!(circuit["millis_left"].as_u64().unwrap() > 0, "{budget}");
    let ready = app.caller(Role::Admin).get("/readyz").await.expect(200);
    let checks = ready["checks"].as_array().unwrap();
    let circuits = checks.iter().find(|check| check["name"] == "dbt_circuits").unwrap();
    assert_eq!(circuits["ok"], true, "an outage of dbt Cloud takes no replica out");
    let message = circuits["message"].as_str().unwrap();
    assert!(message.contains("1 at dbt_cloud_administrative"), "{message}");
}

#[tokio::test]
async fn a_circuit_is_that_of_one_credential() {
    let second = CompanyId(2);
    let mut setup = breaking(Duration::from_secs(90));
    setup.accounts.push((second, acme::ACCOUNT_ID, acme::TOKEN.to_owned()));
    let app = setup.start().await;
    assert_eq!(app.create_company("Twin").await, second);
    let twin = app.create_key(second, Role::Viewer).await;
    let again = app.create_key(COMPANY, Role::Viewer).await;
    open_circuit(&app).await;
    app.with_key(&again).get(RUN).await.problem(503, "dbt-circuit-open");
    app.with_key(&twin).get(RUN).await.expect(200);
}

#[tokio::test]
async fn refusals_of_dbt_cloud_open_no_circuit() {
    let app = breaking(Duration::from_secs(90)).start().await;
    for status in [400, 401, 403, 404, 409, 422, 429] {
        let fault = app.dbt.add_fault(Fault::everywhere().status(status));
        for _ in 0..6 {
            app.viewer().get(RUN).await;
        }
        app.dbt.remove_fault(fault);
    }
    app.viewer().get(RUN).await.expect(200);
}

#[tokio::test]
async fn one_request_probes_and_a_good_answer_closes_the_circuit() {
    let app = breaking(Duration::from_millis(100)).start().await;
    open_circuit(&app).await;
    let mut refused = 0;
    let answer = loop {
        let answer = app.viewer().get(RUN).await;
        if answer.status != 503 {
            break answer;
        }
        answer.problem(503, "dbt-circuit-open");
        refused += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    answer.expect(200);
    assert!(refused > 0);
    for _ in 0..3 {
        app.viewer().get(RUN).await.expect(200);
    }
}

#[tokio::test]
async fn an_outage_is_not_made_worse_by_retries() {
    let mut setup = Setup {
        retry_budget_percent: 10,
        min_retries_per_sec: 0,
        ..Setup::default()
    };
    setup.cache.is_enabled = false;
    let app = setup.start().await;
    let failing = app.dbt.add_fault(Fault::everywhere().status(503));
    for _ in 0..100 {
        app.viewer().get(RUN).await.problem(502, "dbt-unavailable");
    }
    app.dbt.remove_fault(failing);
    let sent = app.dbt.requests().len();
    assert!((105..=110).contains(&sent), "{sent} exchanges for 100 requests");
}

#[tokio::test]
async fn a_time_limit_that_is_no_number_of_seconds_is_refused() {
    let app = TestApp::start().await;
    for bad in ["0", "601", "-1", "1.5", "soon", "", "1, 2"] {
        let request = app
            .viewer()
            .request(reqwest::Method::GET, "/projects")
            .header("request-timeout", bad);
        let answer = app.viewer().send(request).await;
        answer.problem(400, "invalid-request");
        assert!(
            answer.detail().contains("Request-Timeout"),
            "{bad}: {}",
            answer.detail()
        );
    }
    let request = app
        .viewer()
        .request(reqwest::Method::GET, "/projects")
        .header("request-timeout", "600");
    app.viewer().send(request).await.expect(200);
}

#[tokio::test]
async fn a_read_ends_when_its_callers_time_has_passed() {
    let app = TestApp::start().await;
    let slow = app.dbt.add_fault(Fault::everywhere().delay_before_ms(60_000));
    for path in [
        RUN.to_owned(),
        "/projects".to_owned(),
        format!("{RUN}/artifacts/run_results.json"),
        format!("/api/v2/accounts/{}/runs/", acme::ACCOUNT_ID),
    ] {
        let request = app
            .viewer()
            .request(reqwest::Method::GET, &path)
            .header("request-timeout", "1");
        let answer = app.viewer().send(request).await;
        assert_eq!(answer.status, 504, "{path}: {answer:#?}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["outcome"], &row["attempts"]),
            (&json!("timeout"), &json!(1)),
            "{path}"
        );
    }
    app.dbt.remove_fault(slow);
}

#[tokio::test]
async fn a_change_goes_on_when_its_callers_time_has_passed() {
    let app = TestApp::start().await;
    let slow = app.dbt.add_fault(Fault::on("POST", "/").delay_before_ms(2500));
    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let request = app
        .operator()
        .request(reqwest::Method::POST, &path)
        .header("request-timeout", "1")
        .json(&json!({"cause": "patience"}));
    let answer = app.operator().send(request).await;
    answer.problem(504, "dbt-timeout");
    assert!(answer.detail().contains(&answer.request_uuid()), "{}", answer.detail());
    let row = app.closed_row(&answer.request_uuid()).await;
    app.dbt.remove_fault(slow);
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(1)));
    assert!(row["run_id"].is_i64(), "{row}");
}
