//! The account that a request uses, and that it belongs to the caller's company.

use model::{CompanyId, Role};
use serde_json::json;
use simulator::{acme, globex};

use crate::support::{COMPANY, Setup, TestApp};

/// Company 1 has Acme's account, and `second` has Globex's.
async fn two_accounts(second: CompanyId) -> TestApp {
    let mut setup = Setup::default();
    setup
        .accounts
        .push((second, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    setup.start().await
}

#[tokio::test]
async fn the_only_account_may_be_named_or_omitted() {
    let app = TestApp::start().await;
    let unnamed = app.viewer().get("/projects").await;
    let named = app
        .viewer()
        .get(&format!("/projects?account_id={}", acme::ACCOUNT_ID))
        .await;
    assert_eq!(unnamed.expect(200)["results"], named.expect(200)["results"]);
}

#[tokio::test]
async fn without_a_named_account_several_accounts_are_a_400_that_lists_them() {
    let app = two_accounts(COMPANY).await;
    let answer = app.viewer().get("/projects").await;
    let problem = answer.problem(400, "ambiguous-account");
    assert_eq!(problem["accounts"], json!([acme::ACCOUNT_ID, globex::ACCOUNT_ID]));
    let row = app.row_of(&answer).await;
    assert_eq!((&row["outcome"], &row["account_id"]), (&json!("refused"), &json!(null)));
    assert!(app.dbt.requests().is_empty());

    for (account, project) in [
        (acme::ACCOUNT_ID, acme::PROJECT_ID),
        (globex::ACCOUNT_ID, globex::PROJECT_ID),
    ] {
        let answer = app
            .viewer()
            .get(&format!("/projects/{project}?account_id={account}"))
            .await;
        assert_eq!(answer.expect(200)["account_id"], account);
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["account_id"], &row["credential"]),
            (&json!(account), &json!(format!("account {account}")))
        );
    }
}

#[tokio::test]
async fn the_default_account_of_a_key_is_used_if_none_is_named() {
    let app = two_accounts(COMPANY).await;
    let key = app.create_key(COMPANY, Role::Viewer).await;
    app.update_key(&key, "default_account_id = 70403103900002").await;
    assert_eq!(app.with_key(&key).get("/projects").await.ids(), [globex::PROJECT_ID]);
    let other = app
        .with_key(&key)
        .get(&format!("/projects?account_id={}", acme::ACCOUNT_ID))
        .await;
    assert!(
        other.ids().contains(&acme::PROJECT_ID),
        "a default does not limit the key"
    );
}

#[tokio::test]
async fn a_key_can_use_only_the_accounts_on_its_list() {
    let app = two_accounts(COMPANY).await;
    let key = app.create_key(COMPANY, Role::Viewer).await;
    app.update_key(&key, "accounts = '{70403103900002}'").await;
    assert_eq!(
        app.with_key(&key).get("/projects").await.ids(),
        [globex::PROJECT_ID],
        "only one account is possible"
    );
    let answer = app
        .with_key(&key)
        .get(&format!("/projects?account_id={}", acme::ACCOUNT_ID))
        .await;
    answer.problem(404, "not-found");
    assert_eq!(app.row_of(&answer).await["outcome"], "refused");
}

#[tokio::test]
async fn an_account_of_another_company_is_not_found_like_one_that_does_not_exist() {
    let app = two_accounts(CompanyId(2)).await;
    let other = app.create_company("Globex").await;
    assert_eq!(other, CompanyId(2));
    let globex_key = app.create_key(other, Role::Admin).await;
    let body = json!({"cause": "x"});
    for (caller, other_account, job) in [
        (app.caller(Role::Admin), globex::ACCOUNT_ID, globex::JOB_ID),
        (app.with_key(&globex_key), acme::ACCOUNT_ID, acme::NIGHTLY_JOB_ID),
        (app.caller(Role::Admin), 4711, globex::JOB_ID),
    ] {
        let list = caller.get(&format!("/projects?account_id={other_account}")).await;
        let trigger = caller
            .post(&format!("/jobs/{job}/runs?account_id={other_account}"), &body)
            .await;
        for answer in [list, trigger] {
            let problem = answer.problem(404, "not-found");
            let detail = format!("Account {other_account} is not known here, or this key may not use it.");
            assert_eq!(problem["detail"], detail);
            let row = app.row_of(&answer).await;
            assert_eq!((&row["outcome"], &row["attempts"]), (&json!("refused"), &json!(0)));
        }
    }
    assert!(app.dbt.requests().is_empty());
    assert_eq!(
        app.with_key(&globex_key).get("/projects").await.ids(),
        [globex::PROJECT_ID]
    );
    let answer = app
        .with_key(&globex_key)
        .get(&format!("/projects/{}", acme::PROJECT_ID))
        .await;
    answer.problem(404, "not-found");
}

#[tokio::test]
async fn a_company_without_accounts_gets_a_404() {
    let app = TestApp::start().await;
    let empty = app.create_company("Empty").await;
    let key = app.create_key(empty, Role::Admin).await;
    let answer = app.with_key(&key).get("/projects").await;
    answer.problem(404, "not-found");
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["company_id"], &row["outcome"]),
        (&json!(empty), &json!("refused"))
    );
}
