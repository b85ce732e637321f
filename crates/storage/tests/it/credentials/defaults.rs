//! An account that has credentials has exactly one default.

use storage::{CredentialChange, NewCredential};

use super::{ACCOUNT, COMPANY, OTHER_ACCOUNT, create, credentials, defaults, new, stamp, update};
use crate::support::Db;

fn default(is_default: bool) -> CredentialChange {
    CredentialChange {
        is_default: Some(is_default),
        ..CredentialChange::default()
    }
}

fn moved_to(account_id: model::AccountId, is_default: Option<bool>) -> CredentialChange {
    CredentialChange {
        account_id: Some(account_id),
        is_default,
        ..CredentialChange::default()
    }
}

#[tokio::test]
async fn the_first_credential_of_each_account_is_its_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let not_default = NewCredential {
        is_default: Some(false),
        ..new("a", ACCOUNT)
    };
    let first = credentials.create(COMPANY, &stamp(), None, not_default).await.unwrap();
    assert!(first.is_default);
    assert!(!create(&credentials, "b", ACCOUNT).await.is_default);
    assert!(create(&credentials, "c", OTHER_ACCOUNT).await.is_default);
}

#[tokio::test]
async fn a_new_default_credential_replaces_the_old_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "elsewhere", OTHER_ACCOUNT).await;
    let default = NewCredential {
        is_default: Some(true),
        ..new("b", ACCOUNT)
    };
    let made = credentials.create(COMPANY, &stamp(), None, default).await.unwrap();
    assert!(made.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["b"]);
    assert_eq!(defaults(&credentials, OTHER_ACCOUNT).await, ["elsewhere"]);
    let displaced = credentials.get(COMPANY, "a").await.unwrap().unwrap();
    assert_eq!(
        (displaced.is_default, displaced.version),
        (false, 2),
        "losing the default is a change"
    );
}

#[tokio::test]
async fn an_update_moves_the_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for name in ["a", "b", "c"] {
        create(&credentials, name, ACCOUNT).await;
    }
    assert!(update(&credentials, "c", default(true)).await.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["c"]);
    assert!(update(&credentials, "c", default(true)).await.is_default, "again");

    // The oldest other credential becomes the default.
    assert!(!update(&credentials, "c", default(false)).await.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["a"]);
    // This one was not the default, so nothing changes.
    assert!(!update(&credentials, "b", default(false)).await.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["a"]);
}

#[tokio::test]
async fn the_only_credential_of_an_account_stays_its_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "elsewhere", OTHER_ACCOUNT).await;
    assert!(update(&credentials, "a", default(false)).await.is_default);
}

#[tokio::test]
async fn deleting_the_default_makes_the_oldest_other_credential_the_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "elsewhere", OTHER_ACCOUNT).await;
    for name in ["z", "y", "x"] {
        create(&credentials, name, ACCOUNT).await;
    }
    assert!(credentials.delete(COMPANY, &stamp(), None, "z").await.unwrap());
    let successor = credentials.get(COMPANY, "y").await.unwrap().unwrap();
    assert_eq!((successor.is_default, successor.version), (true, 2));
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["y"]);

    assert!(credentials.delete(COMPANY, &stamp(), None, "x").await.unwrap());
    assert_eq!(
        defaults(&credentials, ACCOUNT).await,
        ["y"],
        "deleting another credential changes nothing"
    );
    assert!(credentials.delete(COMPANY, &stamp(), None, "y").await.unwrap());
    assert!(defaults(&credentials, ACCOUNT).await.is_empty());
    assert_eq!(defaults(&credentials, OTHER_ACCOUNT).await, ["elsewhere"]);
}

#[tokio::test]
async fn moving_a_credential_to_another_account_keeps_one_default_in_both() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for (name, account) in [("a", ACCOUNT), ("b", ACCOUNT), ("c", OTHER_ACCOUNT)] {
        create(&credentials, name, account).await;
    }
    assert!(
        !update(&credentials, "a", moved_to(OTHER_ACCOUNT, None))
            .await
            .is_default
    );
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["b"]);
    assert_eq!(defaults(&credentials, OTHER_ACCOUNT).await, ["c"]);

    // It becomes the default of an account without credentials in any case, and elsewhere on request.
    let first = update(&credentials, "a", moved_to(model::AccountId(30), Some(false))).await;
    assert!(first.is_default);
    let wanted = update(&credentials, "a", moved_to(ACCOUNT, Some(true))).await;
    assert!(wanted.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["a"]);
}

#[tokio::test]
async fn the_table_refuses_a_second_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "b", ACCOUNT).await;
    let sql = "UPDATE credential SET is_default = true";
    let error = sqlx::query(sql).execute(db.test.pool()).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    assert_eq!(error.constraint(), Some("credential_one_default"));
}
