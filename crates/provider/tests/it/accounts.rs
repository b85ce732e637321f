//! A read of several accounts: limited concurrency, results in order, and an error that names the failed account.

use std::sync::Arc;
use std::time::Duration;

use dbt_api::ApiRequest;
use model::{AccountId, ClientContext, EachAccount, Page, PageQuery, RequestType, Upstream};
use provider::{ApiError, Outcome, ProviderError};
use serde_json::json;

use crate::support::{Reply, TestProvider, caller, upstream};

#[expect(clippy::disallowed_methods, reason = "the gate is not part of these tests")]
async fn list(fixture: &TestProvider, accounts: i64) -> Result<Page<model::Account>, ProviderError> {
    let account = |id| {
        let account_id = AccountId(id);
        Arc::new(Upstream {
            account_id,
            ..upstream()
        })
    };
    let each: EachAccount = (1..=accounts).map(account).collect();
    let ctx = ClientContext::admitted(fixture.stamp(), RequestType::ListAccounts, caller(), each);
    fixture.provider.list_accounts(ctx, PageQuery::LARGEST).await
}

/// The account in a request path, `/v2/accounts/{id}/`.
fn account_of(request: &ApiRequest) -> i64 {
    request.path().split('/').nth(3).unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn accounts_are_read_with_limited_concurrency_and_listed_in_order() {
    // Later accounts answer faster.
    let fixture = TestProvider::with(|_, request| {
        let id = account_of(request);
        let pause = Duration::from_millis(200 - id.unsigned_abs());
        Reply::ok(&json!({"id": id})).after(pause)
    });

    let page = list(&fixture, 100).await.unwrap();

    let ids: Vec<_> = page.results.iter().map(|account| account.id.0).collect();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
    assert_eq!(
        (page.count, fixture.dbt.count(), fixture.dbt.most_in_flight()),
        (100, 100, 3)
    );
    let row = fixture.log.only_row();
    assert_eq!((row.closing().unwrap().attempts, row.fixed().account_id), (100, None));
}

#[tokio::test(start_paused = true)]
async fn the_first_failed_account_ends_the_list_and_is_named() {
    let fixture = TestProvider::with(|_, request| match account_of(request) {
        10 => Reply::status(422),
        id => Reply::ok(&json!({"id": id})),
    });

    let error = list(&fixture, 1000).await.unwrap_err();

    let ProviderError::InAccount { account, source } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(source, ApiError::UnprocessableEntity { .. }), "{source:?}");
    assert_eq!(account, AccountId(10));
    assert!(fixture.dbt.count() < 20, "the remaining accounts are not read");
    let row = fixture.log.only_row();
    assert_eq!(row.outcome(), Some(Outcome::UnprocessableEntity));
    assert!(row.closing().unwrap().error().unwrap().starts_with("account 10: "));
}

#[tokio::test(start_paused = true)]
async fn the_read_of_one_account_is_retried_after_a_transient_failure() {
    let fixture = TestProvider::with(|number, request| match number {
        1 => Reply::status(503),
        _ => Reply::ok(&json!({"id": account_of(request)})),
    });
    assert_eq!(list(&fixture, 2).await.unwrap().results.len(), 2);
    assert_eq!(fixture.log.only_row().closing().unwrap().attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn without_accounts_nothing_is_sent_and_the_list_is_empty() {
    let fixture = TestProvider::with(|_, _| Reply::Panics);
    assert_eq!(list(&fixture, 0).await.unwrap().count, 0);
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::Succeeded));
}
