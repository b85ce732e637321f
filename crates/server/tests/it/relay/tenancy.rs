//! A company's accounts are relayed with its own tokens, and nobody else's are.

use model::Role;
use serde_json::json;
use simulator::{acme, globex};

use super::{refusal, v2};
use crate::support::{COMPANY, Setup};

#[tokio::test]
async fn another_companys_account_is_not_found_by_whatever_path() {
    let app = Setup::default().start().await;
    let globex_company = app.make_company("Globex").await;
    let foreign = app.make_key(globex_company, Role::Admin).await;
    let foreigner = app.with_key(&foreign);
    let paths = [
        v2("/jobs/"),
        v2("/"),
        v2("/odd/"),
        super::v3("/projects/"),
        v2(&format!("/runs/{}/artifacts/manifest.json", acme::SUCCEEDED_RUN_ID)),
    ];
    for path in &paths {
        let answer = foreigner.get(path).await;
        let told = refusal(&answer, 404);
        assert!(told.contains("is not known here"), "{told}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["company_id"], &row["outcome"]),
            (&json!(globex_company.0), &json!("refused"))
        );
    }
    let trigger = v2(&format!("/jobs/{}/run/", acme::NIGHTLY_JOB_ID));
    refusal(&foreigner.post(&trigger, &json!({"cause": "theirs"})).await, 404);
    let graphql = foreigner
        .post(&format!("/graphql?account_id={}", acme::ACCOUNT_ID), &json!({}))
        .await;
    super::graphql_refusal(&graphql, 404);
    refusal(&foreigner.get("/api/v2/whoami").await, 404);
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn each_account_is_asked_with_its_own_token() {
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
