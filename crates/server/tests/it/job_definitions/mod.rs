//! Jobs.

mod changing;
mod defining;

use serde_json::Value;
use simulator::acme;

use crate::support::TestApp;

/// Method, target below the account, and body of each request that dbt Cloud has seen since the last call.
fn asked(app: &TestApp) -> Vec<(String, Value)> {
    let account = format!("/api/v2/accounts/{}", acme::ACCOUNT_ID);
    let requests = app.dbt.requests();
    app.dbt.clear_requests();
    let read = |request: &simulator::RecordedRequest| {
        let what = format!("{} {}", request.method, request.target.replace(&account, ""));
        (what, serde_json::from_slice(&request.body).unwrap_or_default())
    };
    requests.iter().map(read).collect()
}

fn only_query(app: &TestApp) -> String {
    let asked = asked(app);
    assert_eq!(asked.len(), 1, "{asked:#?}");
    asked[0].0.replace("GET /jobs/?limit=100&offset=0", "")
}

fn nightly() -> String {
    format!("/jobs/{}", acme::NIGHTLY_JOB_ID)
}
