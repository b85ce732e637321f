//! Every change of a credential is logged in the same transaction, without secrets.

use model::ApiKeyId;
use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{CredentialChange, StorageError};

use super::{ACCOUNT, COMPANY, OTHER_ACCOUNT, create, credentials, new, stamp, url};
use crate::support::Db;

const BY: Option<ApiKeyId> = Some(ApiKeyId(5));

fn everything() -> CredentialChange {
    CredentialChange {
        new_name: Some("prod".to_owned()),
        account_id: Some(OTHER_ACCOUNT),
        admin_url: Some(url("https://emea.dbt.com/secret-path/api")),
        metadata_url: Some(url("https://metadata.emea.dbt.com/secret-path")),
        semantic_layer_url: Some(url("https://semantic-layer.emea.dbt.com:8443/secret-path")),
        token: Some(SecretString::from("dbtc_new")),
        is_default: Some(true),
    }
}

fn head(row: &Value) -> [&Value; 9] {
    [
        "surface",
        "request_type",
        "outcome",
        "company_id",
        "api_key_id",
        "credential",
        "account_id",
        "attempts",
        "error",
    ]
    .map(|column| &row[column])
}

#[tokio::test]
async fn creating_changing_and_deleting_a_credential_are_logged() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "first", ACCOUNT).await;
    let stamps = [stamp(), stamp(), stamp()];
    credentials
        .create(COMPANY, &stamps[0], BY, new("production", ACCOUNT))
        .await
        .unwrap();
    credentials
        .update(COMPANY, &stamps[1], BY, "production", everything())
        .await
        .unwrap();
    credentials.delete(COMPANY, &stamps[2], None, "prod").await.unwrap();

    let rows = db.rows().await;
    let row = |number: usize| {
        let uuid = stamps[number].request_uuid().to_string();
        rows.iter().find(|row| row["request_uuid"] == uuid).unwrap()
    };
    for (number, request_type, by, name, account) in [
        (0, "create_credential", json!(5), "production", ACCOUNT),
        (1, "update_credential", json!(5), "production", ACCOUNT),
        (2, "delete_credential", Value::Null, "prod", OTHER_ACCOUNT),
    ] {
        let expected = json!(["rest", request_type, "succeeded", 1, by, name, account, 0, null]);
        assert_eq!(json!(head(row(number))), expected);
        assert!(row(number)["finished_at"].as_str() >= row(number)["started_at"].as_str());
        assert!(row(number)["duration_ms"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(
        row(0)["args"],
        json!({
            "name": "production",
            "account_id": ACCOUNT,
            "admin_url": "https://ab123.us1.dbt.com",
            "metadata_url": "https://ab123.metadata.us1.dbt.com",
            "semantic_layer_url": "https://ab123.semantic-layer.us1.dbt.com",
            "is_default": false,
        })
    );
    assert_eq!(
        row(1)["args"],
        json!({
            "name": "production",
            "account_id": ACCOUNT,
            "changed": {
                "name": "prod",
                "account_id": OTHER_ACCOUNT,
                "admin_url": "https://emea.dbt.com",
                "metadata_url": "https://metadata.emea.dbt.com",
                "semantic_layer_url": "https://semantic-layer.emea.dbt.com:8443",
                "token_replaced": true,
                "is_default": true,
            },
        })
    );
    assert_eq!(row(2)["args"], json!({"name": "prod", "account_id": OTHER_ACCOUNT}));
    let logged = json!(rows).to_string();
    for secret in ["dbtc_", "secret-path", "v1.k1"] {
        assert!(!logged.contains(secret), "{logged}");
    }
}

#[tokio::test]
async fn the_log_row_names_the_new_default_after_a_change() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    for name in ["a", "b", "c"] {
        create(&credentials, name, ACCOUNT).await;
    }
    let (stepped_back, deleted) = (stamp(), stamp());
    let change = CredentialChange {
        is_default: Some(false),
        ..CredentialChange::default()
    };
    credentials
        .update(COMPANY, &stepped_back, None, "a", change)
        .await
        .unwrap();
    credentials.delete(COMPANY, &deleted, None, "b").await.unwrap();

    for row in db.rows().await {
        let heir = &row["args"]["new_default"];
        if row["request_uuid"] == stepped_back.request_uuid().to_string() {
            assert_eq!(heir, "b");
        } else if row["request_uuid"] == deleted.request_uuid().to_string() {
            assert_eq!(heir, "a");
        } else {
            assert_eq!(heir, &Value::Null);
        }
    }
}

#[tokio::test]
async fn a_change_without_a_log_row_is_rolled_back() {
    let db = Db::new().await;
    let credentials = credentials(&db);
    create(&credentials, "a", ACCOUNT).await;
    create(&credentials, "b", ACCOUNT).await;
    let before = (db.table("credential", "id").await, db.rows().await);
    db.run("ALTER TABLE request_log ADD CONSTRAINT no_more CHECK (request_type NOT LIKE '%_credential') NOT VALID")
        .await;

    let made = credentials
        .create(COMPANY, &stamp(), None, new("c", OTHER_ACCOUNT))
        .await;
    assert!(matches!(made, Err(StorageError::Query(_))), "{made:?}");
    let changed = credentials.update(COMPANY, &stamp(), None, "b", everything()).await;
    assert!(matches!(changed, Err(StorageError::Query(_))), "{changed:?}");
    let deleted = credentials.delete(COMPANY, &stamp(), None, "a").await;
    assert!(matches!(deleted, Err(StorageError::Query(_))), "{deleted:?}");

    assert_eq!((db.table("credential", "id").await, db.rows().await), before);
}

#[tokio::test]
async fn a_change_and_its_log_row_are_one_transaction() {
    let db = Db::new().await;
    create(&credentials(&db), "a", ACCOUNT).await;
    let same = "SELECT count(*) FROM credential c, request_log r WHERE c.xmin::text = r.xmin::text";
    assert_eq!(db.number(same).await, 1);
}
