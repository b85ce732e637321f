//! Which account a request is about, and with whose credential it goes out.

use client::{ClientError, Upstreams};
use model::{AccountId, Caller, CompanyId, ProjectId, Role};

use crate::support::{Bench, COMPANY, OTHER_COMPANY, TOKEN, caller, settings, upstream};

const HELD: &[(CompanyId, i64, &str)] = &[
    (COMPANY, 10, "ours 10"),
    (COMPANY, 11, "ours 11"),
    (COMPANY, 12, "ours 12"),
    (OTHER_COMPANY, 11, "theirs 11"),
    (OTHER_COMPANY, 20, "theirs 20"),
];

/// The name of the credential that the request went out with.
async fn credential_for(
    held: &[(CompanyId, i64, &str)],
    caller: Caller,
    asked: Option<i64>,
) -> Result<String, ClientError> {
    let bench = Bench::holding(settings(), held);
    let client = bench.of(caller).await;
    client.get_project(asked.map(AccountId), ProjectId(7)).await?;
    let mut used = bench.dbt.credentials();
    assert_eq!(used.len(), 1);
    Ok(used.remove(0).0)
}

fn viewer() -> Caller {
    caller(Role::Viewer)
}

fn limited_to(accounts: &[i64]) -> Caller {
    Caller {
        accounts: Some(accounts.iter().copied().map(AccountId).collect()),
        ..viewer()
    }
}

fn with_default(account: i64) -> Caller {
    Caller {
        default_account: Some(AccountId(account)),
        ..viewer()
    }
}

#[tokio::test]
async fn a_named_account_is_reached_with_the_companys_own_credential() {
    assert_eq!(credential_for(HELD, viewer(), Some(11)).await.unwrap(), "ours 11");
    let they = Caller {
        company_id: OTHER_COMPANY,
        ..viewer()
    };
    assert_eq!(credential_for(HELD, they, Some(11)).await.unwrap(), "theirs 11");
}

#[tokio::test]
async fn a_named_account_goes_before_the_keys_default() {
    assert_eq!(
        credential_for(HELD, with_default(10), Some(12)).await.unwrap(),
        "ours 12"
    );
}

#[tokio::test]
async fn without_a_name_it_is_the_keys_default_account() {
    assert_eq!(credential_for(HELD, with_default(12), None).await.unwrap(), "ours 12");
}

#[tokio::test]
async fn without_a_default_it_is_the_only_account_that_the_key_may_use() {
    assert_eq!(
        credential_for(HELD, limited_to(&[11, 20]), None).await.unwrap(),
        "ours 11"
    );
    assert_eq!(credential_for(&HELD[..1], viewer(), None).await.unwrap(), "ours 10");
}

#[tokio::test]
async fn several_possible_accounts_are_named_and_none_is_guessed() {
    for (caller, possible) in [(viewer(), vec![10, 11, 12]), (limited_to(&[12, 10, 20]), vec![10, 12])] {
        let answer = credential_for(HELD, caller, None).await;
        let Err(ClientError::AmbiguousAccount(accounts)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(accounts, possible.into_iter().map(AccountId).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn without_any_account_there_is_nothing_to_ask() {
    for (held, caller) in [
        (&[] as &[_], viewer()),
        (&HELD[3..], viewer()),
        (HELD, limited_to(&[])),
        (HELD, limited_to(&[20])),
    ] {
        let answer = credential_for(held, caller, None).await;
        assert!(matches!(answer, Err(ClientError::NoAccount)), "{answer:?}");
    }
}

#[tokio::test]
async fn another_companys_account_is_as_unknown_as_one_that_is_not() {
    for (caller, asked) in [
        (viewer(), Some(20)),
        (viewer(), Some(99)),
        (with_default(20), None),
        (limited_to(&[20]), Some(20)),
    ] {
        let answer = credential_for(HELD, caller, asked).await;
        assert!(matches!(answer, Err(ClientError::UnknownAccount(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn an_account_outside_the_keys_list_is_unknown_to_it() {
    for (caller, asked) in [
        (limited_to(&[10]), Some(11)),
        (
            Caller {
                default_account: Some(AccountId(11)),
                ..limited_to(&[10])
            },
            None,
        ),
    ] {
        let answer = credential_for(HELD, caller, asked).await;
        assert!(
            matches!(answer, Err(ClientError::UnknownAccount(AccountId(11)))),
            "{answer:?}"
        );
    }
}

#[test]
fn credentials_do_not_print_their_tokens() {
    let upstreams = Upstreams::default().with(COMPANY, upstream(AccountId(10), "production"));
    let printed = format!("{upstreams:?}");
    assert!(printed.contains("production"), "{printed}");
    assert!(!printed.contains(TOKEN), "{printed}");
}
