//! A token can be decrypted only in its row and with its key.

use storage::{Credentials, DecryptError};

use super::{ACCOUNT, COMPANY, another_company, create, credentials, new, stamp, tokens, with_keys};
use crate::support::Db;

/// The only credential that cannot be read, with the reason.
async fn load_error(credentials: &Credentials, company: model::CompanyId) -> (String, String) {
    let loaded = credentials.load(company).await.unwrap();
    let mut unreadable: Vec<_> = loaded.into_iter().filter_map(Result::err).collect();
    assert_eq!(unreadable.len(), 1, "{unreadable:?}");
    let error = unreadable.remove(0);
    let message = format!("{error:?}");
    assert!(!message.contains("dbtc_") && !message.contains("v1."), "{message}");
    (error.name, error.reason)
}

#[tokio::test]
async fn a_token_copied_to_another_row_of_the_company_cannot_be_decrypted() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "b", ACCOUNT).await;
    db.run(
        "UPDATE credential SET token_sealed = (SELECT token_sealed FROM credential WHERE name = 'a') WHERE name = 'b'",
    )
    .await;
    assert_eq!(
        load_error(&credentials, COMPANY).await,
        ("b".to_owned(), DecryptError::Tampered.to_string())
    );
}

#[tokio::test]
async fn a_row_moved_to_another_company_cannot_be_decrypted() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let acme = another_company(&db).await;
    create(&credentials, "a", ACCOUNT).await;
    db.run(&format!("UPDATE credential SET company_id = {acme}")).await;
    assert_eq!(
        load_error(&credentials, acme).await,
        ("a".to_owned(), DecryptError::Tampered.to_string())
    );

    // In its own company it can be decrypted again.
    db.run("UPDATE credential SET company_id = 1").await;
    assert_eq!(tokens(&credentials, COMPANY).await.len(), 1);
}

#[tokio::test]
async fn a_token_copied_between_companies_cannot_be_decrypted() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let acme = another_company(&db).await;
    create(&credentials, "a", ACCOUNT).await;
    credentials
        .create(acme, &stamp(), None, new("a", ACCOUNT))
        .await
        .unwrap();
    db.run(&format!(
        "UPDATE credential SET token_sealed = (SELECT token_sealed FROM credential WHERE company_id = 1)
         WHERE company_id = {acme}"
    ))
    .await;
    assert_eq!(
        load_error(&credentials, acme).await,
        ("a".to_owned(), DecryptError::Tampered.to_string())
    );
    assert_eq!(
        tokens(&credentials, COMPANY).await.len(),
        1,
        "the first company still can"
    );
}

#[tokio::test]
async fn a_missing_key_is_reported_by_its_id() {
    let db = Db::new().await;
    create(&credentials(&db), "a", ACCOUNT).await;
    let other = with_keys(&db, &["k2"]);
    assert_eq!(
        load_error(&other, COMPANY).await,
        ("a".to_owned(), DecryptError::UnknownKey("k1".to_owned()).to_string())
    );
}

#[tokio::test]
async fn a_credential_that_cannot_be_read_does_not_fail_the_others() {
    let db = Db::new().await;
    let old = credentials(&db);
    for name in ["missing-key", "damaged", "bad-address"] {
        create(&old, name, ACCOUNT).await;
    }
    let new_key = with_keys(&db, &["k2"]);
    create(&new_key, "fine", ACCOUNT).await;
    let both = with_keys(&db, &["k2", "k1"]);
    assert_eq!(tokens(&both, COMPANY).await.len(), 4);
    db.run("UPDATE credential SET token_sealed = 'v1.k2.AAAA' WHERE name = 'damaged'")
        .await;
    db.run("UPDATE credential SET token_sealed = (SELECT token_sealed FROM credential WHERE name = 'fine'), metadata_url = 'no address' WHERE name = 'bad-address'").await;
    let loaded = new_key.load(COMPANY).await.unwrap();
    let names: Vec<_> = loaded
        .iter()
        .map(|one| match one {
            Ok(loaded) => (loaded.credential.name.as_str(), true),
            Err(unreadable) => (unreadable.name.as_str(), false),
        })
        .collect();
    assert_eq!(
        names,
        [
            ("missing-key", false),
            ("damaged", false),
            ("bad-address", false),
            ("fine", true)
        ]
    );
    assert!(loaded[0].as_ref().unwrap_err().reason.contains("k1"));
    assert!(loaded[0].as_ref().unwrap_err().is_default);
    assert_eq!(loaded[1].as_ref().unwrap_err().account_id, ACCOUNT);
}
