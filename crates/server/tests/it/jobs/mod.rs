//! Jobs.

mod definition;
mod trigger;
mod update;

use serde_json::Value;
use simulator::acme;

use crate::support::TestApp;

/// Method, path below the account, and body of each request to dbt Cloud since the last call.
fn sent(app: &TestApp) -> Vec<(String, Value)> {
    let account = format!("/api/v2/accounts/{}", acme::ACCOUNT_ID);
    let requests = app.dbt.requests();
    app.dbt.clear_requests();
    let read = |request: &simulator::RecordedRequest| {
        let line = format!("{} {}", request.method, request.target.replace(&account, ""));
        (line, serde_json::from_slice(&request.body).unwrap_or_default())
    };
    requests.iter().map(read).collect()
}

fn only_query(app: &TestApp) -> String {
    let sent = sent(app);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    sent[0].0.replace("GET /jobs/?limit=100&offset=0", "")
}

fn nightly() -> String {
    format!("/jobs/{}", acme::NIGHTLY_JOB_ID)
}
