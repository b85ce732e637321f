//! A request that goes to several accounts: a few at once, in order, whole or an error that names the account.

use std::sync::Arc;
use std::time::Duration;

use dbt_api::ApiRequest;
use model::{AccountId, ClientContext, EachAccount, Page, PageQuery, RequestType, Upstream};
use provider::{ApiError, Outcome, ProviderError};
use serde_json::json;

use crate::support::{Bench, Reply, caller, upstream};

#[expect(clippy::disallowed_methods, reason = "these tests stand in for the gate")]
async fn list(bench: &Bench, accounts: i64) -> Result<Page<model::Account>, ProviderError> {
    let account = |id| {
        let account_id = AccountId(id);
        Arc::new(Upstream {
            account_id,
            ..upstream()
        })
    };
    let each: EachAccount = (1..=accounts).map(account).collect();
    let ctx = ClientContext::admitted(bench.stamp(), RequestType::ListAccounts, caller(), each);
    bench.provider.list_accounts(ctx, PageQuery::LARGEST).await
}

/// The account of a request by its path, `/v2/accounts/{id}/`.
fn asked(request: &ApiRequest) -> i64 {
    request.path().split('/').nth(3).unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn accounts_are_asked_a_few_at_once_and_answered_in_order() {
    // The later ones are faster.
    let bench = Bench::with(|_, request| {
        let id = asked(request);
        let pause = Duration::from_millis(200 - id.unsigned_abs());
        Reply::ok(&json!({"id": id})).after(pause)
    });

    let page = list(&bench, 100).await.unwrap();

    let ids: Vec<_> = page.results.iter().map(|account| account.id.0).collect();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
    assert_eq!(
        (page.count, bench.dbt.count(), bench.dbt.most_in_flight()),
        (100, 100, 3)
    );
    let row = bench.log.only_row();
    assert_eq!((row.closing().unwrap().attempts, row.fixed().account_id), (100, None));
}

#[tokio::test(start_paused = true)]
async fn the_first_account_that_fails_ends_the_list_and_is_named() {
    let bench = Bench::with(|_, request| match asked(request) {
        10 => Reply::status(422),
        id => Reply::ok(&json!({"id": id})),
    });

    let error = list(&bench, 1000).await.unwrap_err();

    let ProviderError::InAccount { account, source } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(source, ApiError::UnprocessableEntity { .. }), "{source:?}");
    assert_eq!(account, AccountId(10));
    assert!(bench.dbt.count() < 20, "the others are not asked for nothing");
    let row = bench.log.only_row();
    assert_eq!(row.outcome(), Some(Outcome::UnprocessableEntity));
    assert!(row.closing().unwrap().error().unwrap().starts_with("account 10: "));
}

#[tokio::test(start_paused = true)]
async fn each_accounts_read_is_sent_again_after_a_passing_failure() {
    let bench = Bench::with(|number, request| match number {
        1 => Reply::status(503),
        _ => Reply::ok(&json!({"id": asked(request)})),
    });
    assert_eq!(list(&bench, 2).await.unwrap().results.len(), 2);
    assert_eq!(bench.log.only_row().closing().unwrap().attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn without_accounts_nobody_is_asked_and_the_list_is_empty() {
    let bench = Bench::with(|_, _| Reply::Panics);
    assert_eq!(list(&bench, 0).await.unwrap().count, 0);
    assert_eq!(bench.log.only_row().outcome(), Some(Outcome::Succeeded));
}
