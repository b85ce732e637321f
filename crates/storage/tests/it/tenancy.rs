//! No company reads or changes anything of another one.

use model::{CompanyId, Role};
use storage::{ApiKeys, CreateKey, CredentialChange};

use crate::credentials::{ACCOUNT, COMPANY, another_company, create, credentials, new, stamp, tokens};
use crate::support::Db;

#[tokio::test]
async fn credentials_of_another_company_are_neither_read_nor_changed() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let acme = another_company(&db).await;
    create(&credentials, "production", ACCOUNT).await;
    create(&credentials, "staging", ACCOUNT).await;
    let before = (db.table("credential", "id").await, db.rows().await);
    let change = CredentialChange {
        new_name: Some("stolen".to_owned()),
        is_default: Some(true),
        token: Some("dbtc_other".into()),
        ..CredentialChange::default()
    };

    for other in [acme, CompanyId(99)] {
        assert!(credentials.list(other).await.unwrap().is_empty());
        assert!(credentials.load(other).await.unwrap().is_empty());
        assert_eq!(credentials.get(other, "staging").await.unwrap(), None);
        let changed = credentials
            .update(other, &stamp(), None, "staging", change.clone())
            .await;
        assert_eq!(changed.unwrap(), None);
        assert!(!credentials.delete(other, &stamp(), None, "staging").await.unwrap());
    }

    assert_eq!((db.table("credential", "id").await, db.rows().await), before);
}

#[tokio::test]
async fn companies_with_equal_names_and_accounts_change_only_their_own_credentials() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let acme = another_company(&db).await;
    for name in ["production", "staging"] {
        create(&credentials, name, ACCOUNT).await;
    }
    let ours = "SELECT to_jsonb(c) FROM credential c WHERE company_id = 1 ORDER BY id";
    let ours = async || -> Vec<serde_json::Value> { sqlx::query_scalar(ours).fetch_all(db.test.pool()).await.unwrap() };
    let before = ours().await;

    for name in ["production", "staging"] {
        let made = credentials.create(acme, &stamp(), None, new(name, ACCOUNT)).await;
        assert_eq!(made.unwrap().is_default, name == "production");
        assert_eq!(ours().await, before);
    }
    let theirs = async |change| {
        let changed = credentials.update(acme, &stamp(), None, "staging", change).await;
        assert_eq!(ours().await, before);
        changed.unwrap().expect("their credential")
    };
    let change = CredentialChange {
        is_default: Some(true),
        token: Some("dbtc_theirs".into()),
        ..CredentialChange::default()
    };
    let step_back = CredentialChange {
        is_default: Some(false),
        ..CredentialChange::default()
    };
    assert!(theirs(change).await.is_default);
    assert!(!theirs(step_back.clone()).await.is_default);
    assert!(credentials.delete(acme, &stamp(), None, "production").await.unwrap());
    let last = theirs(step_back).await;
    assert!(
        last.is_default,
        "the last one of the company, whatever other companies have"
    );

    assert_eq!(ours().await, before);
    assert_eq!(
        tokens(&credentials, acme).await,
        [("staging".to_owned(), "dbtc_theirs".to_owned())]
    );
    assert_eq!(credentials.list(COMPANY).await.unwrap().len(), 2);
}

#[tokio::test]
async fn keys_of_another_company_are_neither_read_nor_revoked() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let acme = another_company(&db).await;
    let ours = keys
        .create(&stamp(), &CreateKey::new(COMPANY, "ours", Role::Admin))
        .await
        .unwrap();
    let theirs = keys
        .create(&stamp(), &CreateKey::new(acme, "theirs", Role::Admin))
        .await
        .unwrap();
    let before = (db.table("api_key", "id").await, db.rows().await);

    for (company, own, foreign) in [(COMPANY, ours.id, theirs.id), (acme, theirs.id, ours.id)] {
        let listed = keys.list(company).await.unwrap();
        assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), [own]);
        assert_eq!(keys.get(company, foreign).await.unwrap(), None);
        let revoked = keys.revoke(company, &stamp(), Some(own), foreign).await.unwrap();
        assert!(revoked.is_none(), "{revoked:?}");
    }
    assert!(keys.list(CompanyId(99)).await.unwrap().is_empty());
    assert_eq!((db.table("api_key", "id").await, db.rows().await), before);
}
