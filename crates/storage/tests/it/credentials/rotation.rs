//! Re-encrypting tokens with another key while they are used and changed.

use storage::{CredentialChange, Credentials, DecryptError, Instances, RotationReport, StorageError};

use super::{ACCOUNT, COMPANY, another_company, create, credentials, new, ring, stamp, tokens, with_keys};
use crate::support::Db;

fn report(re_encrypted: u64, already: u64) -> RotationReport {
    RotationReport { re_encrypted, already }
}

#[tokio::test]
async fn rotation_re_encrypts_the_tokens_of_all_companies_and_changes_nothing_else() {
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
async fn a_second_rotation_changes_nothing() {
    let db = Db::new().await;
    create(&credentials(&db), "a", ACCOUNT).await;
    let both = with_keys(&db, &["k2", "k1"]);
    assert_eq!(both.rotate().await.unwrap(), report(1, 0));
    let encrypted = db.table("credential", "id").await;
    assert_eq!(both.rotate().await.unwrap(), report(0, 1));
    assert_eq!(db.table("credential", "id").await, encrypted);
    assert_eq!(
        with_keys(&Db::new().await, &["k1"]).rotate().await.unwrap(),
        report(0, 0)
    );
}

#[tokio::test]
async fn more_tokens_than_one_batch_are_all_re_encrypted() {
    let db = Db::new().await;
    let old = credentials(&db);
    for number in 0..205 {
        create(&old, &format!("n{number}"), ACCOUNT).await;
    }
    assert_eq!(with_keys(&db, &["k2", "k1"]).rotate().await.unwrap(), report(205, 0));
    assert_eq!(tokens(&with_keys(&db, &["k2"]), COMPANY).await.len(), 205);
}

#[tokio::test]
async fn two_concurrent_rotations_both_succeed() {
    let db = Db::new().await;
    let old = credentials(&db);
    for number in 0..20 {
        create(&old, &format!("n{number}"), ACCOUNT).await;
    }
    let (one, two) = (with_keys(&db, &["k2", "k1"]), with_keys(&db, &["k2", "k1"]));
    let (one, two) = tokio::join!(one.rotate(), two.rotate());
    assert_eq!(one.unwrap().re_encrypted + two.unwrap().re_encrypted, 20);
    assert_eq!(tokens(&with_keys(&db, &["k2"]), COMPANY).await.len(), 20);
}

#[tokio::test]
async fn a_token_changed_during_rotation_is_not_overwritten_and_is_re_encrypted() {
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

    // A gateway changed the token but has not committed, so the rotation reads the old one.
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
async fn a_token_that_cannot_be_decrypted_is_reported_and_does_not_stop_the_others() {
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
async fn missing_keys_of_stored_tokens_are_reported() {
    let db = Db::new().await;
    let missing = async |keys: Option<&[&str]>| {
        let credentials = Credentials::new(&db.database, keys.map(ring));
        credentials.missing_keys().await.unwrap()
    };
    assert!(
        missing(None).await.is_empty(),
        "without stored tokens no key is missing"
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

/// A process that has these keys; returns its id.
async fn process(db: &Db, key_ids: &[&str]) -> model::InstanceId {
    let instances = Instances::new(&db.database);
    let id = instances.register("host-a", "test").await.unwrap();
    let key_ids: Vec<_> = key_ids.iter().map(ToString::to_string).collect();
    instances.publish_keys(id, &key_ids).await.unwrap();
    id
}

async fn key_of(db: &Db, name: &str) -> String {
    let query = "SELECT split_part(token_sealed, '.', 2) FROM credential WHERE name = $1";
    sqlx::query_scalar(query)
        .bind(name)
        .fetch_one(db.test.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_key_encrypts_once_every_living_process_has_it() {
    let db = Db::new().await;
    let both = with_keys(&db, &["k2", "k1"]);
    let change = |token: &str| CredentialChange {
        token: Some(token.into()),
        ..CredentialChange::default()
    };
    let first = process(&db, &["k1"]).await;
    process(&db, &["k2", "k1"]).await;
    // Not published yet: it does not count.
    Instances::new(&db.database).register("host-b", "test").await.unwrap();

    create(&both, "a", ACCOUNT).await;
    assert_eq!(key_of(&db, "a").await, "k1");
    both.update(COMPANY, &stamp(), None, "a", change("dbtc_2"))
        .await
        .unwrap();
    assert_eq!(key_of(&db, "a").await, "k1");
    let error = both.rotate().await.unwrap_err();
    assert!(
        matches!(&error, StorageError::KeyNotEverywhere { key, instance, .. } if key == "k2" && *instance == first.0)
    );
    assert!(error.to_string().contains("host-a"), "{error}");

    Instances::new(&db.database)
        .publish_keys(first, &["k2".to_owned(), "k1".to_owned()])
        .await
        .unwrap();
    create(&both, "b", ACCOUNT).await;
    assert_eq!(key_of(&db, "b").await, "k2");
    assert_eq!(both.rotate().await.unwrap(), report(1, 1));
    assert_eq!(key_of(&db, "a").await, "k2");
}

#[tokio::test]
async fn processes_that_ended_or_fell_silent_do_not_keep_a_new_key_from_encrypting() {
    let db = Db::new().await;
    let both = with_keys(&db, &["k2", "k1"]);
    let ended = process(&db, &["k1"]).await;
    let silent = process(&db, &["k1"]).await;
    process(&db, &["k2", "k1"]).await;
    Instances::new(&db.database).end(ended).await.unwrap();
    create(&both, "a", ACCOUNT).await;
    assert_eq!(key_of(&db, "a").await, "k1");
    db.run(&format!(
        "UPDATE instance SET heartbeat_at = now() - interval '31 s' WHERE id = {silent}"
    ))
    .await;
    create(&both, "b", ACCOUNT).await;
    assert_eq!(key_of(&db, "b").await, "k2");
}
