//! No secret is in a row or in an answer.

use model::Role;
use serde_json::json;
use simulator::{Effect, Fault, FaultBody, acme};

use super::v2;
use crate::support::TestApp;

#[tokio::test]
async fn a_row_has_no_secrets_of_the_query_and_no_body() {
    let app = TestApp::start().await;
    let path = v2("/odd/dbtc_in_the_path/?access_token=planted-1&limit=5&q=dbtu_planted_2");
    let answer = app
        .caller(Role::Admin)
        .post(&path, &json!({"secret": "planted-3"}))
        .await;
    let row = app.row_of(&answer).await;
    assert_eq!(
        row["args"],
        json!({
            "method": "POST", "path": format!("/v2/accounts/{}/odd/[redacted]/", acme::ACCOUNT_ID),
            "query": [["access_token", "[redacted]"], ["limit", "5"], ["q", "[redacted]"]],
            "body_bytes": 22,
        })
    );
    for secret in ["planted", acme::TOKEN, app.key(Role::Admin)] {
        assert!(!row.to_string().contains(secret), "{row:#}");
    }
}

#[tokio::test]
async fn a_token_echoed_by_dbt_is_masked() {
    let app = TestApp::start().await;
    let body = |token: &str| format!("<html>Blocked: GET … Authorization: Token {token} — and again {token}</html>");
    for status in [200, 403, 502] {
        let effect = Effect::Answer {
            status,
            body: FaultBody::Custom {
                content_type: "text/html".to_owned(),
                body: body(acme::TOKEN),
            },
            headers: Vec::new(),
            work_done: false,
        };
        let fault = app.dbt.add_fault(Fault {
            effect,
            ..Fault::default()
        });
        let answer = app.caller(Role::Admin).post(&v2("/jobs/"), &json!({})).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.text, body(&"*".repeat(acme::TOKEN.len())));
        assert!(!app.row_of(&answer).await.to_string().contains(acme::TOKEN));
        app.dbt.remove_fault(fault);
    }
}
