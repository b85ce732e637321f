//! Tokens are sealed anew with another key, beside whoever uses and changes them.

use storage::{Credentials, DecryptError, RotationReport, StorageError};

use super::{ACCOUNT, COMPANY, another_company, create, credentials, new, ring, stamp, tokens, with_keys};
use crate::support::Db;

fn report(re_sealed: u64, already: u64) -> RotationReport {
    RotationReport { re_sealed, already }
}

#[tokio::test]
async fn every_companys_tokens_are_sealed_with_the_first_key_and_nothing_else_changes() {
    let db = Db::new().await;
    let (old, both) = (credentials(&db), with_keys(&db, &["k2", "k1"]));
    let acme = another_company(&db).await;
    create(&old, "a", ACCOUNT).await;
    old.create(acme, &stamp(), None, new("b", ACCOUNT)).await.unwrap();
    create(&both, "c", ACCOUNT).await;
    let before = (old.list(acme).await.unwrap(), both.list(COMPANY).await.unwrap());
    let secrets = (tokens(&both, COMPANY).await, tokens(&both, acme).await);
    let rows = db.rows().await.len();

    assert_eq!(both.rotate().await.unwrap(), report(2, 1));

    let new = with_keys(&db, &["k2"]);
    assert_eq!((tokens(&new, COMPANY).await, tokens(&new, acme).await), secrets);
    assert_eq!(
        (new.list(acme).await.unwrap(), new.list(COMPANY).await.unwrap()),
        before
    );
    assert_eq!(db.rows().await.len(), rows);
}

#[tokio::test]
async fn a_second_rotation_finds_nothing_to_do() {
    let db = Db::new().await;
    create(&credentials(&db), "a", ACCOUNT).await;
    let both = with_keys(&db, &["k2", "k1"]);
    assert_eq!(both.rotate().await.unwrap(), report(1, 0));
    let sealed = db.table("credential", "id").await;
    assert_eq!(both.rotate().await.unwrap(), report(0, 1));
    assert_eq!(db.table("credential", "id").await, sealed);
    assert_eq!(
        with_keys(&Db::new().await, &["k1"]).rotate().await.unwrap(),
        report(0, 0)
    );
}

#[tokio::test]
async fn more_tokens_than_one_batch_are_all_sealed() {
    let db = Db::new().await;
    let old = credentials(&db);
    for number in 0..205 {
        create(&old, &format!("n{number}"), ACCOUNT).await;
    }
    assert_eq!(with_keys(&db, &["k2", "k1"]).rotate().await.unwrap(), report(205, 0));
    assert_eq!(tokens(&with_keys(&db, &["k2"]), COMPANY).await.len(), 205);
}

#[tokio::test]
async fn two_rotations_at_once_both_end_well() {
    let db = Db::new().await;
    let old = credentials(&db);
    for number in 0..20 {
        create(&old, &format!("n{number}"), ACCOUNT).await;
    }
    let (one, two) = (with_keys(&db, &["k2", "k1"]), with_keys(&db, &["k2", "k1"]));
    let (one, two) = tokio::join!(one.rotate(), two.rotate());
    assert_eq!(one.unwrap().re_sealed + two.unwrap().re_sealed, 20);
    assert_eq!(tokens(&with_keys(&db, &["k2"]), COMPANY).await.len(), 20);
}

#[tokio::test]
async fn a_token_that_changes_under_the_rotation_is_not_overwritten_and_is_sealed_anew_as_well() {
    let db = Db::new().await;
    let old = credentials(&db);
    create(&old, "a", ACCOUNT).await;
    db.run("CREATE TABLE before AS SELECT token_sealed FROM credential")
        .await;
    let change = storage::CredentialChange {
        token: Some("dbtc_changed".into()),
        ..storage::CredentialChange::default()
    };
    super::update(&old, "a", change).await;
    db.run("CREATE TABLE after AS SELECT token_sealed FROM credential; UPDATE credential SET token_sealed = (TABLE before)")
        .await;

    // A gateway has changed the token, but not committed yet: the rotation still reads the old one.
    let mut changing = db.test.pool().begin().await.unwrap();
    sqlx::query("UPDATE credential SET token_sealed = (TABLE after)")
        .execute(&mut *changing)
        .await
        .unwrap();
    let both = with_keys(&db, &["k2", "k1"]);
    let rotation = tokio::spawn(async move { both.rotate().await });
    db.blocked("UPDATE credential").await;
    changing.commit().await.unwrap();

    assert_eq!(rotation.await.unwrap().unwrap(), report(1, 0));
    let changed = [("a".to_owned(), "dbtc_changed".to_owned())];
    assert_eq!(tokens(&with_keys(&db, &["k2"]), COMPANY).await, changed);
}

#[tokio::test]
async fn a_token_that_does_not_open_is_told_and_holds_up_no_other() {
    let db = Db::new().await;
    let old = credentials(&db);
    for name in ["a", "b", "c"] {
        create(&old, name, ACCOUNT).await;
    }
    db.run(
        "UPDATE credential SET token_sealed = (SELECT token_sealed FROM credential WHERE name = 'c') WHERE name = 'a'",
    )
    .await;
    let both = with_keys(&db, &["k2", "k1"]);
    let error = both.rotate().await.unwrap_err();
    assert!(
        matches!(&error, StorageError::Token { company: COMPANY, credential, reason: DecryptError::Tampered } if credential == "a"),
        "{error:?}"
    );
    assert_eq!(
        db.number("SELECT count(*) FROM credential WHERE token_sealed LIKE 'v1.k2.%'")
            .await,
        2
    );
}

#[tokio::test]
async fn rotating_needs_a_key() {
    let db = Db::new().await;
    let error = Credentials::new(&db.database, None).rotate().await.unwrap_err();
    assert!(matches!(error, StorageError::NoKeyRing), "{error:?}");
}

#[tokio::test]
async fn the_keys_that_stored_tokens_need_and_nobody_gave_are_told() {
    let db = Db::new().await;
    let missing = async |keys: Option<&[&str]>| {
        let credentials = Credentials::new(&db.database, keys.map(ring));
        credentials.missing_keys().await.unwrap()
    };
    assert!(
        missing(None).await.is_empty(),
        "where no token is stored no key is needed"
    );

    let acme = another_company(&db).await;
    for (number, key) in ["k2", "k1", "k1"].into_iter().enumerate() {
        let name = format!("n{number}");
        with_keys(&db, &[key])
            .create(acme, &stamp(), None, new(&name, ACCOUNT))
            .await
            .unwrap();
    }
    assert_eq!(missing(None).await, ["k1", "k2"]);
    assert_eq!(missing(Some(&["k2", "k3"])).await, ["k1"]);
    assert!(missing(Some(&["k3", "k1", "k2"])).await.is_empty());
}
