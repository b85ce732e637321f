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
async fn the_first_of_each_account_is_its_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let unwilling = NewCredential {
        is_default: Some(false),
        ..new("a", ACCOUNT)
    };
    let first = credentials.create(COMPANY, &stamp(), None, unwilling).await.unwrap();
    assert!(first.is_default);
    assert!(!create(&credentials, "b", ACCOUNT).await.is_default);
    assert!(create(&credentials, "c", OTHER_ACCOUNT).await.is_default);
}

#[tokio::test]
async fn a_new_one_that_wants_to_be_the_default_takes_the_place_of_the_old() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "elsewhere", OTHER_ACCOUNT).await;
    let willing = NewCredential {
        is_default: Some(true),
        ..new("b", ACCOUNT)
    };
    let made = credentials.create(COMPANY, &stamp(), None, willing).await.unwrap();
    assert!(made.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["b"]);
    assert_eq!(defaults(&credentials, OTHER_ACCOUNT).await, ["elsewhere"]);
    let displaced = credentials.get(COMPANY, "a").await.unwrap().unwrap();
    assert_eq!(
        (displaced.is_default, displaced.version),
        (false, 2),
        "it changed as well"
    );
}

#[tokio::test]
async fn the_default_moves_by_a_change() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for name in ["a", "b", "c"] {
        create(&credentials, name, ACCOUNT).await;
    }
    assert!(update(&credentials, "c", default(true)).await.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["c"]);
    assert!(update(&credentials, "c", default(true)).await.is_default, "again");

    // Whoever steps back hands over to the oldest other one.
    assert!(!update(&credentials, "c", default(false)).await.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["a"]);
    // That one was not the default before, so nothing is handed over.
    assert!(!update(&credentials, "b", default(false)).await.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["a"]);
}

#[tokio::test]
async fn the_only_one_stays_the_default_whatever_is_asked() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "elsewhere", OTHER_ACCOUNT).await;
    assert!(update(&credentials, "a", default(false)).await.is_default);
}

#[tokio::test]
async fn deleting_the_default_makes_the_oldest_other_one_the_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "elsewhere", OTHER_ACCOUNT).await;
    for name in ["z", "y", "x"] {
        create(&credentials, name, ACCOUNT).await;
    }
    assert!(credentials.delete(COMPANY, &stamp(), None, "z").await.unwrap());
    let heir = credentials.get(COMPANY, "y").await.unwrap().unwrap();
    assert_eq!((heir.is_default, heir.version), (true, 2));
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["y"]);

    assert!(credentials.delete(COMPANY, &stamp(), None, "x").await.unwrap());
    assert_eq!(
        defaults(&credentials, ACCOUNT).await,
        ["y"],
        "another one's end changes nothing"
    );
    assert!(credentials.delete(COMPANY, &stamp(), None, "y").await.unwrap());
    assert!(defaults(&credentials, ACCOUNT).await.is_empty());
    assert_eq!(defaults(&credentials, OTHER_ACCOUNT).await, ["elsewhere"]);
}

#[tokio::test]
async fn a_credential_that_moves_to_another_account_leaves_a_default_behind_and_displaces_none() {
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

    // Where nobody is, it is the default, wanted or not; and where it wants to be.
    let first = update(&credentials, "a", moved_to(model::AccountId(30), Some(false))).await;
    assert!(first.is_default);
    let wanted = update(&credentials, "a", moved_to(ACCOUNT, Some(true))).await;
    assert!(wanted.is_default);
    assert_eq!(defaults(&credentials, ACCOUNT).await, ["a"]);
}

#[tokio::test]
async fn the_table_takes_no_second_default() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "b", ACCOUNT).await;
    let sql = "UPDATE credential SET is_default = true";
    let error = sqlx::query(sql).execute(db.test.pool()).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    assert_eq!(error.constraint(), Some("credential_one_default"));
}
