//! Runs.

mod cancel;
mod failure;
mod get;
mod list;
mod new_runs;
mod retry;
mod steps;

use serde_json::{Value, json};

use crate::support::TestApp;

/// Starts a run of the job and returns its id.
async fn start(app: &TestApp, job: i64) -> i64 {
    let path = format!("/jobs/{job}/runs");
    let run = app
        .operator()
        .post(&path, &json!({"cause": "a test"}))
        .await
        .expect(201);
    run["id"].as_i64().unwrap()
}

/// The reason (`why`) of each exchange of a row.
fn reasons(row: &Value) -> Vec<&str> {
    let exchanges = row["exchanges"].as_array().unwrap();
    exchanges.iter().map(|each| each["why"].as_str().unwrap()).collect()
}
