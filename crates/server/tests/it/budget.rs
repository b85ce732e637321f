//! The budget of requests to dbt Cloud: what callers of several replicas get of it, and `GET /budget`.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use model::Role;
use provider::BudgetSettings;
use serde_json::{Value, json};
use simulator::{Fault, acme};
use testkit::Flow;
use tokio::time::timeout;

use crate::support::{Setup, TestApp};

/// Ends a test that would otherwise wait for ever.
const TIMEOUT: Duration = Duration::from_mins(1);

/// One request each for changes, reads and background work, and one more in eight seconds.
fn ten_a_minute() -> BudgetSettings {
    BudgetSettings {
        admin_per_minute: 10,
        wait: Duration::from_millis(300),
        ..BudgetSettings::default()
    }
}

fn limited(budget: BudgetSettings) -> Setup {
    Setup {
        budget: Some(budget),
        ..Setup::default()
    }
}

/// Another gateway with the same dbt Cloud, keys and log.
async fn replica(app: &TestApp, instance: i64, budget: BudgetSettings) -> TestApp {
    let setup = Setup {
        dbt_url: Some(app.dbt.base_url().parse().unwrap()),
        database_url: Some(app.database.url()),
        database_wait: crate::support::FOREVER,
        instance: model::InstanceId(instance),
        ..limited(budget)
    };
    setup.start().await
}

/// The budget of the Administrative API.
async fn administrative(app: &TestApp, key: &str) -> Value {
    let budget = app.with_key(key).get("/budget").await.expect(200);
    assert_eq!(budget["account_id"], acme::ACCOUNT_ID);
    let apis = budget["apis"].as_array().unwrap();
    let names: Vec<_> = apis.iter().map(|api| api["api"].as_str().unwrap()).collect();
    let expected = [
        "dbt_cloud_administrative",
        "dbt_cloud_metadata",
        "dbt_cloud_semantic_layer",
    ];
    assert_eq!(names, expected);
    apis[0].clone()
}

#[tokio::test]
async fn replicas_share_a_small_limit_and_a_trigger_is_started_beside_their_reads() {
    let first = limited(ten_a_minute()).start().await;
    let others = [
        replica(&first, 2, ten_a_minute()).await,
        replica(&first, 3, ten_a_minute()).await,
    ];
    let key = first.key(Role::Operator);
    let replicas = [&first, &others[0], &others[1]];
    // Distinct, so that none is answered by another's exchange.
    let reads = replicas.iter().enumerate().flat_map(|(replica, app)| {
        let path = move |number: usize| format!("/projects/{}", 1 + 4 * replica + number);
        (0..4).map(move |number| async move { app.with_key(key).get(&path(number)).await })
    });
    let answers = futures::future::join_all(reads).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(
        refused.len() >= answers.len() - 2,
        "one at once, and one in eight seconds"
    );
    for answer in &refused {
        answer.problem(429, "budget-exhausted");
        assert!(answer.detail().contains("not sent to dbt Cloud"), "{answer:?}");
        let seconds: u64 = answer.header(RETRY_AFTER).unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds));
    }
    let sent = first.dbt.requests().len();
    assert_eq!(sent, answers.len() - refused.len(), "refused requests are not sent");

    let trigger = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let started = others[1]
        .with_key(key)
        .post(&trigger, &json!({"cause": "nightly"}))
        .await;
    started.expect(201);
    assert!(first.dbt.rate_counts(acme::ACCOUNT_ID)[0].most_in_a_minute <= 10);
}

#[tokio::test]
async fn a_429_silences_the_other_replicas_too_and_a_new_one() {
    let budget = BudgetSettings::default();
    let first = limited(budget).start().await;
    let second = replica(&first, 2, budget).await;
    let key = first.key(Role::Viewer);
    second.with_key(key).get("/projects").await.expect(200);
    let minute = Fault::everywhere().status(429).header("retry-after", "60");
    first.dbt.add_fault(minute);
    first.viewer().get("/projects").await.problem(429, "rate-limit");
    first.dbt.clear_faults();

    let refused = first.viewer().get("/projects").await;
    refused.problem(429, "budget-exhausted");
    let seconds: u64 = refused.header(RETRY_AFTER).unwrap().parse().unwrap();
    assert!((30..=60).contains(&seconds), "{seconds}");
    let silenced = async { while second.with_key(key).get("/projects").await.status != 429 {} };
    timeout(TIMEOUT, silenced).await.unwrap();
    let third = replica(&first, 3, budget).await;
    let sent = first.dbt.requests().len();
    let path = format!("/api/v2/accounts/{}/jobs/", acme::ACCOUNT_ID);
    let relayed = third.with_key(key).get(&path).await;
    assert_eq!(relayed.status, 429, "{relayed:?}");
    assert!(relayed.header(RETRY_AFTER).is_some());
    assert!(
        relayed.json()["status"]["user_message"]
            .as_str()
            .unwrap()
            .contains("429"),
        "{relayed:?}"
    );
    assert_eq!(first.dbt.requests().len(), sent);

    let budget = administrative(&first, key).await;
    assert_eq!(budget["cooldown"]["state"], "cooling_down");
    assert_eq!(budget["free_now"], json!({"changes": 0, "reads": 0}));
    let row = first
        .caller(Role::Admin)
        .get("/request-logs?outcome=budget_exhausted")
        .await;
    let rows = row.expect(200);
    assert_eq!(rows["results"][0]["attempts"], 0, "{rows}");
}

#[tokio::test]
async fn the_budget_tells_who_used_it() {
    let app = limited(BudgetSettings::default()).start().await;
    app.viewer().get("/projects").await.expect(200);
    app.operator().get("/jobs").await.expect(200);
    let trigger = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    app.operator()
        .post(&trigger, &json!({"cause": "nightly"}))
        .await
        .expect(201);
    let budget = administrative(&app, app.key(Role::Viewer)).await;
    assert_eq!(budget["limit_per_minute"], 4800);
    assert_eq!(budget["cooldown"], Value::Null);
    assert!(budget["free_now"]["changes"].as_i64().unwrap() > budget["free_now"]["reads"].as_i64().unwrap());
    let sent = app.dbt.requests();
    let reads = sent.iter().filter(|request| request.method == "GET").count();
    let used = json!({"changes": sent.len() - reads, "reads": reads, "background": 0});
    assert_eq!(budget["last_minute"], used, "{budget}");
    assert_eq!(budget["sent_last_minute"], sent.len());
    let sum: i64 = budget["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["sent"].as_i64().unwrap())
        .sum();
    assert_eq!(json!(sum), budget["sent_last_minute"]);
    assert_eq!(budget["keys"].as_array().unwrap().len(), 2);
    assert_eq!(budget["other_companies"], 0);
}

#[tokio::test]
async fn without_a_limit_the_budget_says_so() {
    let app = TestApp::start().await;
    let budget = administrative(&app, app.key(Role::Viewer)).await;
    assert_eq!(
        (&budget["limit_per_minute"], &budget["free_now"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn while_postgres_is_silent_callers_get_a_503_and_dbt_is_not_asked() {
    let app = Setup {
        proxied: Some(Duration::from_millis(500)),
        ..limited(BudgetSettings::default())
    }
    .start()
    .await;
    app.viewer().get("/budget").await.expect(200);
    // The connections that exist fall silent; the row is then written on a new one.
    app.proxy.set_existing(Flow::OnlyPings);
    let answer = timeout(TIMEOUT, app.viewer().get("/projects")).await.unwrap();
    answer.problem(503, "log-unavailable");
    assert!(answer.header(RETRY_AFTER).is_some());
    assert_eq!(app.dbt.requests().len(), 0);
}
