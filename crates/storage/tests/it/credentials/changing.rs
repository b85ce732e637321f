//! Changing and deleting credentials.

use secrecy::SecretString;
use storage::{CredentialChange, Credentials, StorageError};

use super::{ACCOUNT, COMPANY, OTHER_ACCOUNT, TOKEN, create, credentials, stamp, tokens, update, url};
use crate::support::Db;

#[tokio::test]
async fn each_field_changes_alone_and_the_version_with_it() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let mut expected = create(&credentials, "production", ACCOUNT).await;
    let changes = [
        CredentialChange {
            new_name: Some("prod".to_owned()),
            ..CredentialChange::default()
        },
        CredentialChange {
            admin_url: Some(url("https://ab123.us1.dbt.com/dbt/api")),
            ..CredentialChange::default()
        },
        CredentialChange {
            metadata_url: Some(url("https://ab123.metadata.us1.dbt.com/discovery")),
            ..CredentialChange::default()
        },
        CredentialChange {
            semantic_layer_url: Some(url("https://ab123.semantic-layer.us1.dbt.com/sl")),
            ..CredentialChange::default()
        },
        CredentialChange {
            account_id: Some(OTHER_ACCOUNT),
            ..CredentialChange::default()
        },
    ];
    for change in changes {
        let now = update(&credentials, &expected.name, change.clone()).await;
        expected.name = change.new_name.unwrap_or(expected.name);
        expected.admin_url = change.admin_url.unwrap_or(expected.admin_url);
        expected.metadata_url = change.metadata_url.unwrap_or(expected.metadata_url);
        expected.semantic_layer_url = change.semantic_layer_url.unwrap_or(expected.semantic_layer_url);
        expected.account_id = change.account_id.unwrap_or(expected.account_id);
        expected.version += 1;
        assert!(now.updated_at >= expected.updated_at);
        expected.updated_at = now.updated_at;
        assert_eq!(now, expected);
        assert_eq!(credentials.list(COMPANY).await.unwrap(), [now]);
    }
    let kept = [("prod".to_owned(), format!("{TOKEN}-production"))];
    assert_eq!(tokens(&credentials, COMPANY).await, kept);
}

#[tokio::test]
async fn a_new_token_replaces_the_old_one() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "production", ACCOUNT).await;
    let change = CredentialChange {
        token: Some(SecretString::from("dbtc_new")),
        ..CredentialChange::default()
    };
    assert_eq!(update(&credentials, "production", change.clone()).await.version, 2);
    assert_eq!(
        tokens(&credentials, COMPANY).await,
        [("production".to_owned(), "dbtc_new".to_owned())]
    );

    let keyless = Credentials::new(&db.database, None);
    let error = keyless.update(COMPANY, &stamp(), None, "production", change).await;
    assert!(matches!(error, Err(StorageError::NoKeyRing)), "{error:?}");
}

#[tokio::test]
async fn a_stored_token_is_never_sent_to_another_origin() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "production", ACCOUNT).await;
    let before = (db.table("credential", "id").await, db.rows().await);
    let elsewhere = [
        "https://collector.example/api",
        "http://ab123.us1.dbt.com/api",
        "https://ab123.us1.dbt.com:8443/api",
    ];
    for address in elsewhere.map(url) {
        let changes = [
            CredentialChange {
                admin_url: Some(address.clone()),
                ..CredentialChange::default()
            },
            CredentialChange {
                metadata_url: Some(address.clone()),
                ..CredentialChange::default()
            },
            CredentialChange {
                semantic_layer_url: Some(address.clone()),
                ..CredentialChange::default()
            },
        ];
        for change in changes {
            let error = credentials
                .update(COMPANY, &stamp(), None, "production", change.clone())
                .await;
            assert!(matches!(error, Err(StorageError::TokenRequired)), "{error:?}");
            assert_eq!((db.table("credential", "id").await, db.rows().await), before);
        }
    }

    let with_its_token = CredentialChange {
        admin_url: Some(url("https://emea.dbt.com/api")),
        token: Some(SecretString::from("dbtc_emea")),
        ..CredentialChange::default()
    };
    let moved = update(&credentials, "production", with_its_token).await;
    assert_eq!(moved.admin_url, url("https://emea.dbt.com/api"));
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "production", ACCOUNT).await;
    create(&credentials, "staging", ACCOUNT).await;
    let before = (db.table("credential", "id").await, db.rows().await);
    let renamed = |name: &str| CredentialChange {
        new_name: Some(name.to_owned()),
        is_default: Some(true),
        ..CredentialChange::default()
    };

    let taken = credentials
        .update(COMPANY, &stamp(), None, "staging", renamed("production"))
        .await;
    assert!(matches!(taken, Err(StorageError::NameTaken)), "{taken:?}");
    let invalid = credentials
        .update(COMPANY, &stamp(), None, "staging", renamed(".."))
        .await;
    assert!(matches!(invalid, Err(StorageError::InvalidName(_))), "{invalid:?}");
    let secret = CredentialChange {
        metadata_url: Some(url("https://user:sesame@dbt.example")),
        ..CredentialChange::default()
    };
    let secret = credentials.update(COMPANY, &stamp(), None, "staging", secret).await;
    assert!(
        matches!(secret, Err(StorageError::InvalidUrl("metadata_url"))),
        "{secret:?}"
    );
    assert_eq!((db.table("credential", "id").await, db.rows().await), before);

    // A credential may keep its name.
    assert_eq!(
        update(&credentials, "staging", renamed("staging")).await.name,
        "staging"
    );
}

#[tokio::test]
async fn an_unknown_credential_is_neither_changed_nor_deleted_nor_logged() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for name in ["production", "..", "a\0b", ""] {
        let change = CredentialChange::default();
        let changed = credentials.update(COMPANY, &stamp(), None, name, change).await;
        assert_eq!(changed.unwrap(), None);
        assert!(!credentials.delete(COMPANY, &stamp(), None, name).await.unwrap());
    }
    assert!(db.rows().await.is_empty());
}

#[tokio::test]
async fn the_name_of_a_deleted_credential_can_be_used_again() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    let first = create(&credentials, "production", ACCOUNT).await;
    assert!(credentials.delete(COMPANY, &stamp(), None, "production").await.unwrap());
    assert_eq!(credentials.get(COMPANY, "production").await.unwrap(), None);
    assert!(credentials.load(COMPANY).await.unwrap().is_empty());

    let second = create(&credentials, "production", ACCOUNT).await;
    assert_ne!(
        second.id, first.id,
        "an id is never used again, since tokens are encrypted for it"
    );
}
