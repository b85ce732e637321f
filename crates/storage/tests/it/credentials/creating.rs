//! Storing, listing, reading and loading credentials, and which are refused.

use model::{AccountId, CompanyId};
use secrecy::ExposeSecret as _;
use storage::{Credentials, NewCredential, StorageError};

use super::{ACCOUNT, COMPANY, OTHER_ACCOUNT, TOKEN, another_company, create, credentials, new, stamp, tokens, url};
use crate::support::Db;

async fn refused(credentials: &Credentials, new: NewCredential) -> StorageError {
    let made = credentials.create(COMPANY, &stamp(), None, new).await;
    made.expect_err("refused")
}

#[tokio::test]
async fn a_credential_is_read_back_as_it_was_stored() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let made = create(&credentials, "production", ACCOUNT).await;

    assert_eq!((made.name.as_str(), made.account_id), ("production", ACCOUNT));
    assert_eq!(made.admin_url, url("https://ab123.us1.dbt.com/api"));
    assert_eq!(made.metadata_url, url("https://ab123.metadata.us1.dbt.com"));
    assert_eq!(made.semantic_layer_url, url("https://ab123.semantic-layer.us1.dbt.com"));
    assert_eq!((made.version, made.created_at), (1, made.updated_at));
    assert_eq!(credentials.list(COMPANY).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(
        credentials.get(COMPANY, "production").await.unwrap(),
        Some(made.clone())
    );

    let loaded = credentials.load(COMPANY).await.unwrap();
    assert_eq!(loaded.len(), 1);
    let only = loaded[0].as_ref().unwrap();
    assert_eq!(only.credential, made);
    assert_eq!(only.token.expose_secret(), format!("{TOKEN}-production"));
    assert!(!format!("{loaded:?}").contains(TOKEN));
}

#[tokio::test]
async fn lists_are_ordered_oldest_first() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for name in ["c", "a", "b"] {
        create(&credentials, name, ACCOUNT).await;
    }
    let listed = credentials.list(COMPANY).await.unwrap();
    assert_eq!(
        listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["c", "a", "b"]
    );
    let names = tokens(&credentials, COMPANY).await.into_iter().map(|(name, _)| name);
    assert_eq!(names.collect::<Vec<_>>(), ["c", "a", "b"]);
}

#[tokio::test]
async fn no_token_is_stored_unencrypted() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "production", ACCOUNT).await;
    let in_hex: String = TOKEN
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat();
    for table in ["api_key", "request_log", "company", "credential", "instance"] {
        for row in db.table(table, "1").await {
            let row = row.to_string();
            assert!(!row.contains("dbtc_") && !row.contains(&in_hex), "{table}: {row}");
        }
    }
    assert_eq!(
        db.number("SELECT count(*) FROM credential WHERE token_sealed LIKE 'v1.k1.%'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_table_refuses_an_unencrypted_token() {
    let db = Db::new().await;
    create(&credentials(&db), "production", ACCOUNT).await;
    for text in [TOKEN, "", "v1.k1.", "v2.k1.AAAA", "v1.k 1.AAAA", "v1.k1.AAAA\n"] {
        let sql = "UPDATE credential SET token_sealed = $1";
        let error = sqlx::query(sql).bind(text).execute(db.test.pool()).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.constraint(), Some("credential_token_sealed_check"), "{text:?}");
    }
}

#[tokio::test]
async fn without_a_key_no_token_is_stored_or_read_but_the_rest_works() {
    let db = Db::new().await;
    let keyless = Credentials::new(&db.database, None);
    let error = refused(&keyless, new("production", ACCOUNT)).await;
    assert!(matches!(error, StorageError::NoKeyRing), "{error:?}");
    assert!(keyless.load(COMPANY).await.unwrap().is_empty());
    assert!(db.rows().await.is_empty());

    let made = create(&credentials(&db), "production", ACCOUNT).await;
    assert_eq!(keyless.list(COMPANY).await.unwrap(), [made]);
    let unreadable = keyless.load(COMPANY).await.unwrap().remove(0).unwrap_err();
    assert_eq!(unreadable.reason, StorageError::NoKeyRing.to_string());
    assert!(keyless.delete(COMPANY, &stamp(), None, "production").await.unwrap());
}

#[tokio::test]
async fn program_and_table_have_the_same_rule_for_names() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let longest = "x".repeat(100);
    for name in ["a", "0", "prod.eu-1_b", "A..b", longest.as_str()] {
        create(&credentials, name, ACCOUNT).await;
    }
    let made = db.number("SELECT count(*) FROM credential").await;
    let too_long = "x".repeat(101);
    for name in [
        "",
        ".",
        "..",
        ".a",
        "-a",
        "_a",
        "a b",
        "a/b",
        "é",
        "a\n",
        "a%20",
        too_long.as_str(),
    ] {
        let error = refused(&credentials, new(name, ACCOUNT)).await;
        assert!(matches!(error, StorageError::InvalidName(_)), "{name:?}: {error:?}");
        assert_eq!(credentials.get(COMPANY, name).await.unwrap(), None);

        let sql = "UPDATE credential SET name = $1 WHERE name = 'a'";
        let error = sqlx::query(sql).bind(name).execute(db.test.pool()).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.constraint(), Some("credential_name_check"), "{name:?}");
    }
    let error = refused(&credentials, new("a\0", ACCOUNT)).await;
    assert!(matches!(error, StorageError::InvalidName(_)), "{error:?}");
    assert_eq!(credentials.get(COMPANY, "a\0").await.unwrap(), None);
    assert_eq!(db.number("SELECT count(*) FROM credential").await, made);
}

#[tokio::test]
async fn names_are_unique_within_a_company() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let acme = another_company(&db).await;
    create(&credentials, "production", ACCOUNT).await;
    let before = (db.table("credential", "id").await, db.rows().await);

    let error = refused(&credentials, new("production", OTHER_ACCOUNT)).await;
    assert!(matches!(error, StorageError::NameTaken), "{error:?}");
    assert_eq!((db.table("credential", "id").await, db.rows().await), before);

    let theirs = credentials
        .create(acme, &stamp(), None, new("production", ACCOUNT))
        .await;
    assert!(theirs.unwrap().is_default, "the first of that account in their company");
}

#[tokio::test]
async fn an_unknown_company_gets_no_credential_and_no_log_row() {
    let db = Db::new().await;
    let made = credentials(&db)
        .create(CompanyId(99), &stamp(), None, new("production", ACCOUNT))
        .await;
    assert!(
        matches!(made, Err(StorageError::NoSuchCompany(CompanyId(99)))),
        "{made:?}"
    );
    assert!(db.rows().await.is_empty() && db.table("credential", "id").await.is_empty());
}

#[tokio::test]
async fn an_address_that_may_contain_a_secret_or_is_too_long_is_refused_with_its_field() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let long = format!("https://dbt.example/{}", "x".repeat(2048));
    let addresses = [
        "https://user@dbt.example/",
        "https://user:sesame@dbt.example/",
        "https://:sesame@dbt.example/",
        "https://dbt.example/?token=sesame",
        "https://dbt.example/#sesame",
        &long,
    ];
    for address in addresses {
        type Field = fn(&mut NewCredential) -> &mut url::Url;
        let fields: [(&str, Field); 3] = [
            ("admin_url", |new| &mut new.admin_url),
            ("metadata_url", |new| &mut new.metadata_url),
            ("semantic_layer_url", |new| &mut new.semantic_layer_url),
        ];
        for (name, field) in fields {
            let mut new = new("production", ACCOUNT);
            *field(&mut new) = url(address);
            let error = refused(&credentials, new).await;
            assert!(
                matches!(error, StorageError::InvalidUrl(field) if field == name),
                "{error:?}"
            );
            assert!(!format!("{error} {error:?}").contains("sesame"));
        }
    }
    assert!(db.rows().await.is_empty() && db.table("credential", "id").await.is_empty());
}

#[tokio::test]
async fn the_table_holds_64_bit_account_ids() {
    let db = Db::new().await;
    let made = create(&credentials(&db), "production", AccountId(i64::MAX)).await;
    assert_eq!(made.account_id, AccountId(i64::MAX));
}
