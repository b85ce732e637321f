//! Concurrent changes of a company's credentials.

use futures::future::join_all;
use storage::{CredentialChange, NewCredential, StorageError};

use super::{ACCOUNT, COMPANY, OTHER_ACCOUNT, create, credentials, defaults, new, stamp};
use crate::support::Db;

#[tokio::test]
async fn of_concurrently_created_first_credentials_exactly_one_is_the_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for wanted in [None, Some(true)] {
        let many = (0..12).map(|number| {
            let new = NewCredential {
                is_default: wanted,
                ..new(&format!("n{number}-{}", wanted.is_some()), ACCOUNT)
            };
            let credentials = &credentials;
            async move { credentials.create(COMPANY, &stamp(), None, new).await }
        });
        for made in join_all(many).await {
            made.unwrap();
        }
        assert_eq!(defaults(&credentials, ACCOUNT).await.len(), 1);
    }
    assert_eq!(credentials.list(COMPANY).await.unwrap().len(), 24);
    assert_eq!(db.rows().await.len(), 24);
}

#[tokio::test]
async fn of_concurrent_credentials_with_one_name_one_is_created() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let many = (0..6).map(async |_| {
        let new = new("production", ACCOUNT);
        credentials.create(COMPANY, &stamp(), None, new).await
    });
    let made = join_all(many).await;
    let (won, lost): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 5));
    assert!(
        lost.iter().all(|lost| matches!(lost, Err(StorageError::NameTaken))),
        "{lost:?}"
    );
    assert_eq!(db.rows().await.len(), 1);
}

#[tokio::test]
async fn every_account_keeps_exactly_one_default_under_concurrent_changes() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for number in 0..12 {
        let account = if number % 2 == 0 { ACCOUNT } else { OTHER_ACCOUNT };
        create(&credentials, &format!("n{number}"), account).await;
    }
    let many = (0..12).map(|number| {
        let (credentials, name) = (&credentials, format!("n{number}"));
        async move {
            let change = |is_default, account_id| CredentialChange {
                is_default,
                account_id,
                ..CredentialChange::default()
            };
            let change = match number % 5 {
                0 => {
                    assert!(credentials.delete(COMPANY, &stamp(), None, &name).await.unwrap());
                    return;
                }
                1 => change(Some(true), None),
                2 => change(Some(false), None),
                3 => change(None, Some(ACCOUNT)),
                _ => change(Some(true), Some(OTHER_ACCOUNT)),
            };
            let changed = credentials.update(COMPANY, &stamp(), None, &name, change).await;
            assert!(changed.unwrap().is_some());
        }
    });
    join_all(many).await;

    assert_eq!(defaults(&credentials, ACCOUNT).await.len(), 1);
    assert_eq!(defaults(&credentials, OTHER_ACCOUNT).await.len(), 1);
    assert_eq!(credentials.list(COMPANY).await.unwrap().len(), 9);
    assert_eq!(db.rows().await.len(), 24, "a row for each change");
}
