//! A sealed token opens in its own row and with its own key alone.

use storage::{Credentials, DecryptError, StorageError};

use super::{ACCOUNT, COMPANY, another_company, create, credentials, new, stamp, tokens, with_keys};
use crate::support::Db;

async fn shut(credentials: &Credentials, company: model::CompanyId) -> (String, DecryptError) {
    let error = credentials.load(company).await.expect_err("a token that does not open");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("dbtc_") && !told.contains("v1."), "{told}");
    match error {
        StorageError::Token {
            company: whose,
            credential,
            reason,
        } if whose == company => (credential, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_copied_to_another_row_of_the_company_does_not_open() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "b", ACCOUNT).await;
    db.run(
        "UPDATE credential SET token_sealed = (SELECT token_sealed FROM credential WHERE name = 'a') WHERE name = 'b'",
    )
    .await;
    assert_eq!(
        shut(&credentials, COMPANY).await,
        ("b".to_owned(), DecryptError::Tampered)
    );
}

#[tokio::test]
async fn a_row_moved_to_another_company_does_not_open_there() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let acme = another_company(&db).await;
    create(&credentials, "a", ACCOUNT).await;
    db.run(&format!("UPDATE credential SET company_id = {acme}")).await;
    assert_eq!(shut(&credentials, acme).await, ("a".to_owned(), DecryptError::Tampered));

    // Back home it opens, so it was the place alone.
    db.run("UPDATE credential SET company_id = 1").await;
    assert_eq!(tokens(&credentials, COMPANY).await.len(), 1);
}

#[tokio::test]
async fn a_token_copied_between_companies_does_not_open() {
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
    assert_eq!(shut(&credentials, acme).await, ("a".to_owned(), DecryptError::Tampered));
    assert_eq!(
        tokens(&credentials, COMPANY).await.len(),
        1,
        "the robbed company goes on"
    );
}

#[tokio::test]
async fn a_token_whose_key_is_not_given_is_told_by_the_id_of_the_key() {
    let db = Db::new().await;
    create(&credentials(&db), "a", ACCOUNT).await;
    let other = with_keys(&db, &["k2"]);
    assert_eq!(
        shut(&other, COMPANY).await,
        ("a".to_owned(), DecryptError::UnknownKey("k1".to_owned()))
    );
}
