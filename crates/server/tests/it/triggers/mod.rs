//! A trigger starts one run, whatever happens to dbt Cloud's answer, to the gateway, and however often it is repeated.

mod background;
mod idempotency;
mod if_running;
mod lost_answers;
mod own_records;
mod relayed;
mod schedules;
mod watermark;

use futures::future::LocalBoxFuture;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Config, Effect, Fault, FaultBody, acme};

use crate::support::{Answer, Setup, TestApp};

/// The route of the trigger.
fn path() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

/// The number of triggers that dbt Cloud received for the job.
fn received(app: &TestApp) -> usize {
    let trigger = format!(
        "/api/v2/accounts/{}/jobs/{}/run/",
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    );
    app.dbt.requests_to("POST", &trigger).len()
}

/// The newest runs of the job at dbt Cloud, without the gateway's part.
async fn runs_with_cause(app: &TestApp, cause: &str) -> Vec<Value> {
    let path = format!(
        "{}/api/v2/accounts/{}/runs/?job_definition_id={}&order_by=-id&include_related=trigger",
        app.dbt.base_url(),
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    );
    let request = app.http.get(path).bearer_auth(acme::TOKEN);
    let list = Answer::collect(request.send().await.unwrap()).await.json();
    let runs = list["data"].as_array().unwrap().iter();
    let is_it = |run: &&Value| run["trigger"]["cause"].as_str().unwrap_or_default().starts_with(cause);
    runs.filter(is_it).cloned().collect()
}

/// A trigger with an idempotency key.
async fn with_key(app: &TestApp, key: &str, path: &str, body: &Value) -> Answer {
    let operator = app.operator();
    let request = operator.request(Method::POST, path).header("idempotency-key", key);
    operator.send(request.json(body)).await
}

/// Faults that lose the answer after the run was started.
fn lost_after_the_work() -> Vec<Fault> {
    let post = || Fault::on("POST", "/api/v2/").once();
    vec![
        post().reset_after(),
        post().effect(Effect::Truncate { keep_bytes: None }),
        post().effect(Effect::MalformedJson),
        post().answer(500, FaultBody::Html).work_done(),
        post().answer(502, FaultBody::Html).work_done(),
        post().answer(503, FaultBody::Empty).work_done(),
        post().answer(504, FaultBody::Envelope).work_done(),
        post().answer(408, FaultBody::Envelope).work_done(),
        post().answer(200, FaultBody::Empty).work_done(),
        post().answer(200, FaultBody::Envelope).work_done(),
        post().answer(200, refusal_behind_200()).work_done(),
        post().answer(307, FaultBody::Empty).work_done(),
    ]
}

/// The same before the run was started.
fn lost_before_the_work() -> Vec<Fault> {
    let post = || Fault::on("POST", "/api/v2/").once();
    vec![
        post().reset_before(),
        post().answer(502, FaultBody::Html),
        post().answer(200, FaultBody::Empty),
        post().answer(200, refusal_behind_200()),
    ]
}

/// dbt Cloud's refusals have the status 4xx themselves; an envelope that names one behind a 200 proves nothing.
fn refusal_behind_200() -> FaultBody {
    FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: r#"{"status": {"code": 400, "is_success": false, "user_message": "Odd."}, "data": null}"#.to_owned(),
    }
}

/// A gateway whose simulator's clock is the real one, for runs that are known by their time.
fn in_real_time() -> Setup {
    Setup {
        simulator: Config::default(),
        ..Setup::default()
    }
}

/// A gateway that leaves the look for a run to the background.
fn without_waiting() -> Setup {
    let mut setup = Setup::default();
    setup.trigger.resolve = Duration::ZERO;
    setup.trigger.max_pause = Duration::from_millis(1);
    setup
}

/// Another gateway with the same dbt Cloud, keys and log.
fn replica(app: &TestApp, instance: i64, setup: Setup) -> LocalBoxFuture<'static, TestApp> {
    let setup = Setup {
        dbt_url: Some(app.dbt.base_url().parse().unwrap()),
        database_url: Some(app.database.url()),
        database_wait: crate::support::FOREVER,
        instance: model::InstanceId(instance),
        ..setup
    };
    // Boxed: the future of a gateway is large.
    Box::pin(setup.start())
}

const LEASE: Duration = Duration::from_secs(5);

/// A pass of the background work, with the number of attempts that it looked for.
async fn pass(app: &TestApp) -> usize {
    app.clients.resolve_triggers(LEASE).await.unwrap()
}

/// Makes all attempts due, as if the pauses had passed.
async fn make_due(app: &TestApp) {
    sqlx::query("UPDATE trigger_attempt SET next_look_at = clock_timestamp() - interval '1 second'")
        .execute(app.database.pool())
        .await
        .unwrap();
}

/// `resolution` in the log.
async fn resolution(app: &TestApp, request_uuid: &str) -> Value {
    let row = app
        .caller(model::Role::Admin)
        .get(&format!("/request-logs/{request_uuid}"))
        .await;
    row.expect(200)["resolution"].clone()
}

fn body(cause: &str) -> Value {
    json!({ "cause": cause })
}
