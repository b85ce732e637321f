//! A token can be decrypted only in its row and with its key.

use storage::{Credentials, DecryptError, StorageError};

use super::{ACCOUNT, COMPANY, another_company, create, credentials, new, stamp, tokens, with_keys};
use crate::support::Db;

async fn load_error(credentials: &Credentials, company: model::CompanyId) -> (String, DecryptError) {
    let error = credentials
        .load(company)
        .await
        .expect_err("a token that cannot be decrypted");
    let message = format!("{error} {error:?}");
    assert!(!message.contains("dbtc_") && !message.contains("v1."), "{message}");
    match error {
        StorageError::Token {
            company: of,
            credential,
            reason,
        } if of == company => (credential, reason),
        other => panic!("{other:?}"),
    }
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
        ("b".to_owned(), DecryptError::Tampered)
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
        ("a".to_owned(), DecryptError::Tampered)
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
        ("a".to_owned(), DecryptError::Tampered)
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
        ("a".to_owned(), DecryptError::UnknownKey("k1".to_owned()))
    );
}
