//! The account and the credential that a request uses.

use client::{ClientError, Upstreams};
use model::{AccountId, Caller, CompanyId, ProjectId, Role};

use crate::support::{COMPANY, OTHER_COMPANY, TOKEN, TestClients, caller, settings, upstream};

const CREDENTIALS: &[(CompanyId, i64, &str)] = &[
    (COMPANY, 10, "first 10"),
    (COMPANY, 11, "first 11"),
    (COMPANY, 12, "first 12"),
    (OTHER_COMPANY, 11, "other 11"),
    (OTHER_COMPANY, 20, "other 20"),
];

/// The name of the credential that the request used.
async fn credential_for(
    credentials: &[(CompanyId, i64, &str)],
    caller: Caller,
    account: Option<i64>,
) -> Result<String, ClientError> {
    let fixture = TestClients::with_credentials(settings(), credentials);
    let client = fixture.client_of(caller).await;
    client.get_project(account.map(AccountId), ProjectId(7)).await?;
    let mut used = fixture.dbt.credentials();
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
async fn a_named_account_is_used_with_the_companys_own_credential() {
    assert_eq!(
        credential_for(CREDENTIALS, viewer(), Some(11)).await.unwrap(),
        "first 11"
    );
    let other_caller = Caller {
        company_id: OTHER_COMPANY,
        ..viewer()
    };
    assert_eq!(
        credential_for(CREDENTIALS, other_caller, Some(11)).await.unwrap(),
        "other 11"
    );
}

#[tokio::test]
async fn a_named_account_overrides_the_default_of_the_key() {
    assert_eq!(
        credential_for(CREDENTIALS, with_default(10), Some(12)).await.unwrap(),
        "first 12"
    );
}

#[tokio::test]
async fn without_a_named_account_the_default_of_the_key_is_used() {
    assert_eq!(
        credential_for(CREDENTIALS, with_default(12), None).await.unwrap(),
        "first 12"
    );
}

#[tokio::test]
async fn without_a_default_the_only_account_of_the_key_is_used() {
    assert_eq!(
        credential_for(CREDENTIALS, limited_to(&[11, 20]), None).await.unwrap(),
        "first 11"
    );
    assert_eq!(
        credential_for(&CREDENTIALS[..1], viewer(), None).await.unwrap(),
        "first 10"
    );
}

#[tokio::test]
async fn several_possible_accounts_are_an_error_that_lists_them() {
    for (caller, possible) in [(viewer(), vec![10, 11, 12]), (limited_to(&[12, 10, 20]), vec![10, 12])] {
        let answer = credential_for(CREDENTIALS, caller, None).await;
        let Err(ClientError::AmbiguousAccount(accounts)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(accounts, possible.into_iter().map(AccountId).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn without_any_account_the_request_is_refused() {
    for (credentials, caller) in [
        (&[] as &[_], viewer()),
        (&CREDENTIALS[3..], viewer()),
        (CREDENTIALS, limited_to(&[])),
        (CREDENTIALS, limited_to(&[20])),
    ] {
        let answer = credential_for(credentials, caller, None).await;
        assert!(matches!(answer, Err(ClientError::NoAccount)), "{answer:?}");
    }
}

#[tokio::test]
async fn the_account_of_another_company_is_unknown_like_one_that_does_not_exist() {
    for (caller, account) in [
        (viewer(), Some(20)),
        (viewer(), Some(99)),
        (with_default(20), None),
        (limited_to(&[20]), Some(20)),
    ] {
        let answer = credential_for(CREDENTIALS, caller, account).await;
        assert!(matches!(answer, Err(ClientError::UnknownAccount(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn an_account_outside_the_list_of_the_key_is_unknown() {
    for (caller, account) in [
        (limited_to(&[10]), Some(11)),
        (
            Caller {
                default_account: Some(AccountId(11)),
                ..limited_to(&[10])
            },
            None,
        ),
    ] {
        let answer = credential_for(CREDENTIALS, caller, account).await;
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
