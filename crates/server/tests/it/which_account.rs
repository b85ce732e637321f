//! Which account a request is about, and that no company reaches another's.

use model::{CompanyId, Role};
use serde_json::json;
use simulator::{acme, globex};

use crate::support::{COMPANY, Setup, TestApp};

/// Company 1 holds Acme's account, and `second` holds Globex's.
async fn two_accounts(second: CompanyId) -> TestApp {
    let mut setup = Setup::default();
    setup
        .accounts
        .push((second, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    setup.start().await
}

#[tokio::test]
async fn the_only_account_needs_no_name_and_may_be_named() {
    let app = TestApp::start().await;
    let unnamed = app.viewer().get("/projects").await;
    let named = app
        .viewer()
        .get(&format!("/projects?account_id={}", acme::ACCOUNT_ID))
        .await;
    assert_eq!(unnamed.expect(200)["results"], named.expect(200)["results"]);
}

#[tokio::test]
async fn several_accounts_and_none_named_is_answered_with_the_choice() {
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
async fn a_keys_default_account_answers_for_requests_that_name_none() {
    let app = two_accounts(COMPANY).await;
    let key = app.make_key(COMPANY, Role::Viewer).await;
    app.alter_key(&key, "default_account_id = 70403103900002").await;
    assert_eq!(app.with_key(&key).get("/projects").await.ids(), [globex::PROJECT_ID]);
    let other = app
        .with_key(&key)
        .get(&format!("/projects?account_id={}", acme::ACCOUNT_ID))
        .await;
    assert!(other.ids().contains(&acme::PROJECT_ID), "a default is no limit");
}

#[tokio::test]
async fn a_keys_list_of_accounts_is_all_it_can_use() {
    let app = two_accounts(COMPANY).await;
    let key = app.make_key(COMPANY, Role::Viewer).await;
    app.alter_key(&key, "accounts = '{70403103900002}'").await;
    assert_eq!(
        app.with_key(&key).get("/projects").await.ids(),
        [globex::PROJECT_ID],
        "nothing to choose from"
    );
    let answer = app
        .with_key(&key)
        .get(&format!("/projects?account_id={}", acme::ACCOUNT_ID))
        .await;
    answer.problem(404, "not-found");
    assert_eq!(app.row_of(&answer).await["outcome"], "refused");
}

#[tokio::test]
async fn an_account_of_another_company_is_not_found_and_not_told_from_one_that_is_nobodys() {
    let app = two_accounts(CompanyId(2)).await;
    let other = app.make_company("Globex").await;
    assert_eq!(other, CompanyId(2));
    let globex_key = app.make_key(other, Role::Admin).await;
    let body = json!({"cause": "x"});
    for (caller, foreign, job) in [
        (app.caller(Role::Admin), globex::ACCOUNT_ID, globex::JOB_ID),
        (app.with_key(&globex_key), acme::ACCOUNT_ID, acme::NIGHTLY_JOB_ID),
        (app.caller(Role::Admin), 4711, globex::JOB_ID),
    ] {
        let list = caller.get(&format!("/projects?account_id={foreign}")).await;
        let trigger = caller
            .post(&format!("/jobs/{job}/runs?account_id={foreign}"), &body)
            .await;
        for answer in [list, trigger] {
            let problem = answer.problem(404, "not-found");
            let detail = format!("Account {foreign} is not known here, or this key may not use it.");
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
    let foreign = app
        .with_key(&globex_key)
        .get(&format!("/projects/{}", acme::PROJECT_ID))
        .await;
    foreign.problem(404, "not-found");
}

#[tokio::test]
async fn a_company_without_any_account_is_told_so() {
    let app = TestApp::start().await;
    let empty = app.make_company("Empty").await;
    let key = app.make_key(empty, Role::Admin).await;
    let answer = app.with_key(&key).get("/projects").await;
    answer.problem(404, "not-found");
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["company_id"], &row["outcome"]),
        (&json!(empty), &json!("refused"))
    );
}
