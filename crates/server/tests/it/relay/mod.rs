//! The dbt-compatible surface: what reaches dbt Cloud and what comes back, and that nothing else does.

mod accounts;
mod comparison;
mod differences;
mod edges;
mod failures;
mod graphql;
mod raw;
mod refusals;
mod roles;
mod secrets;
mod smuggling;
mod streams;
mod tenancy;

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use simulator::acme;

use crate::support::Answer;

/// A path of the Administrative API in Acme's account.
fn v2(rest: &str) -> String {
    format!("/api/v2/accounts/{}{rest}", acme::ACCOUNT_ID)
}

/// As above, of v3.
fn v3(rest: &str) -> String {
    format!("/api/v3/accounts/{}{rest}", acme::ACCOUNT_ID)
}

/// The refusal of ours that the answer has to be, in dbt's envelope; returns what it tells its reader.
fn refusal(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["status"]["code"], status);
    assert_eq!(body["status"]["is_success"], false);
    assert!(body.as_object().unwrap().contains_key("data"), "{body:#}");
    let told = body["status"]["developer_message"].as_str().unwrap();
    assert!(
        told.starts_with("dbt-gateway, not dbt Cloud: ") && told.ends_with(&answer.request_uuid()),
        "{told}"
    );
    body["status"]["user_message"].as_str().unwrap().to_owned()
}

/// The refusal of ours that the answer has to be, as GraphQL has it.
fn graphql_refusal(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"));
    let body: Value = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body:#}");
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    body["errors"][0]["message"].as_str().unwrap().to_owned()
}
