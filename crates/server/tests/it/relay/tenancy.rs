//! Accounts are relayed only for their company, with its own tokens.

use model::Role;
use serde_json::json;
use simulator::{acme, globex};

use super::{refusal, v2};
use crate::support::{COMPANY, Setup};

#[tokio::test]
async fn the_account_of_another_company_is_not_found_at_any_path() {
    let app = Setup::default().start().await;
    let globex_company = app.create_company("Globex").await;
    let key = app.create_key(globex_company, Role::Admin).await;
    let other_admin = app.with_key(&key);
    let paths = [
        v2("/jobs/"),
        v2("/"),
        v2("/odd/"),
        super::v3("/projects/"),
        v2(&format!("/runs/{}/artifacts/manifest.json", acme::SUCCEEDED_RUN_ID)),
    ];
    for path in &paths {
        let answer = other_admin.get(path).await;
        let message = refusal(&answer, 404);
        assert!(message.contains("is not known here"), "{message}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["company_id"], &row["outcome"]),
            (&json!(globex_company.0), &json!("refused"))
        );
    }
    let trigger = v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID));
    refusal(&other_admin.post(&trigger, &json!({"cause": "a test"})).await, 404);
    let graphql = other_admin
        .post(
            &format!("/graphql?account_id={}", acme::ACCOUNT_ID),
            &json!({"query": "{ __typename }"}),
        )
        .await;
    super::graphql_refusal(&graphql, 404);
    refusal(&other_admin.get("/api/v2/whoami").await, 404);
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn each_account_is_read_with_its_own_token() {
    let app = Setup {
        accounts: vec![
            (COMPANY, acme::ACCOUNT_ID, acme::TOKEN.to_owned()),
            (COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned()),
        ],
        ..Setup::default()
    }
    .start()
    .await;
    for (account, token) in [(acme::ACCOUNT_ID, acme::TOKEN), (globex::ACCOUNT_ID, globex::TOKEN)] {
        let answer = app.viewer().get(&format!("/api/v2/accounts/{account}/jobs")).await;
        assert_eq!(answer.status, 200);
        let received = app.dbt.requests().pop().unwrap();
        assert_eq!(received.header("authorization"), Some(&*format!("Token {token}")));
        assert_eq!(app.row_of(&answer).await["credential"], format!("account {account}"));
    }
}
