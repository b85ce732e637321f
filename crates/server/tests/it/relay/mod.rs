//! The dbt-compatible API: what is sent to dbt Cloud, what is answered, and that nothing else is.

mod accounts;
mod comparison;
mod differences;
mod failures;
mod framing;
mod graphql;
mod paths_and_methods;
pub(crate) mod raw_http;
mod refusals;
mod roles;
mod secrets;
mod streams;
mod tenancy;

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use simulator::acme;

use crate::support::Answer;

/// A path of the Administrative API v2 in Acme's account.
pub(crate) fn v2(rest: &str) -> String {
    format!("/api/v2/accounts/{}{rest}", acme::ACCOUNT_ID)
}

/// As above, of v3.
fn v3(rest: &str) -> String {
    format!("/api/v3/accounts/{}{rest}", acme::ACCOUNT_ID)
}

/// Asserts a refusal by the gateway in dbt's envelope and returns its message.
pub(crate) fn refusal(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["status"]["code"], status);
    assert_eq!(body["status"]["is_success"], false);
    assert!(body.as_object().unwrap().contains_key("data"), "{body:#}");
    let message = body["status"]["developer_message"].as_str().unwrap();
    assert!(
        message.starts_with("dbt-gateway, not dbt Cloud: ") && message.ends_with(&answer.request_uuid()),
        "{message}"
    );
    body["status"]["user_message"].as_str().unwrap().to_owned()
}

/// Asserts a refusal by the gateway as a GraphQL error and returns its message.
fn graphql_refusal(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"));
    let body: Value = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body:#}");
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    body["errors"][0]["message"].as_str().unwrap().to_owned()
}
