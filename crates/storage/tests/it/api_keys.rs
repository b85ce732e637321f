//! Creating API keys and finding them by hash.

use chrono::TimeDelta;
use model::{AccountId, CompanyId, FixedClock, RequestStamp, Role, Surface};
use secrecy::ExposeSecret as _;
use serde_json::json;
use storage::{ApiKeys, CreateKey, KeyHash, StorageError};

use crate::support::{Db, noon};

fn new_key(role: Role) -> CreateKey {
    CreateKey::new(CompanyId(1), "airflow", role)
}

fn internal() -> RequestStamp {
    RequestStamp::now(&FixedClock::at(noon()), Surface::Internal, None)
}

#[tokio::test]
async fn a_new_key_is_found_by_its_hash_with_its_company_and_role() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    for role in Role::ALL {
        let made = keys.create(&internal(), &new_key(role)).await.unwrap();
        let hash = KeyHash::of(made.key.expose_secret()).expect("the form of a key");
        let found = keys.find(&hash).await.unwrap().unwrap();
        assert_eq!(
            (found.caller.api_key_id, found.caller.company_id),
            (made.id, CompanyId(1))
        );
        assert_eq!(found.caller.role, role);
        assert_eq!(
            (found.caller.accounts.as_ref(), found.caller.default_account),
            (None, None)
        );
        assert!(found.is_valid(noon()));
    }
}

#[tokio::test]
async fn an_unknown_key_is_not_found() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let made = keys.create(&internal(), &new_key(Role::Admin)).await.unwrap();
    let other = made
        .key
        .expose_secret()
        .replace(|digit: char| digit.is_ascii_digit(), "a");
    assert_eq!(keys.find(&KeyHash::of(&other).unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn no_part_of_a_keys_secret_is_stored() {
    let db = Db::new().await;
    let made = ApiKeys::new(&db.database)
        .create(&internal(), &new_key(Role::Admin))
        .await
        .unwrap();
    let key = made.key.expose_secret();
    let secret = key.rsplit('_').next().unwrap();
    assert_eq!(secret.len(), 64);
    let in_hex = hex::encode(key);

    for table in ["api_key", "request_log", "company", "credential", "instance"] {
        for row in db.table(table, "1").await {
            let row = row.to_string();
            assert!(!row.contains(secret) && !row.contains(&in_hex), "{table}: {row}");
            // Nor any part of it that is long enough to be useful.
            for start in (0..secret.len() - 16).step_by(8) {
                assert!(!row.contains(&secret[start..start + 16]), "{table}: {row}");
            }
        }
    }
    assert_eq!(db.number("SELECT count(*) FROM api_key").await, 1);
    assert!(!format!("{made:?}").contains(secret));
}

#[tokio::test]
async fn keys_with_the_same_name_differ() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let one = keys.create(&internal(), &new_key(Role::Viewer)).await.unwrap();
    let two = keys.create(&internal(), &new_key(Role::Viewer)).await.unwrap();
    assert_ne!(one.key.expose_secret(), two.key.expose_secret());
    assert_ne!(one.id, two.id);
}

#[tokio::test]
async fn creating_a_key_is_logged() {
    let db = Db::new().await;
    let stamp = internal();
    let made = ApiKeys::new(&db.database)
        .create(&stamp, &new_key(Role::Operator))
        .await
        .unwrap();
    let row = db.only_row().await;
    assert_eq!(row["request_uuid"], stamp.request_uuid().to_string());
    assert_eq!(
        (
            &row["surface"],
            &row["request_type"],
            &row["outcome"],
            &row["company_id"]
        ),
        (
            &json!("internal"),
            &json!("create_api_key"),
            &json!("succeeded"),
            &json!(1)
        )
    );
    assert_eq!(
        row["args"],
        json!({"api_key_id": made.id, "name": "airflow", "role": "operator"})
    );
    assert_eq!((&row["attempts"], &row["client_type"]), (&json!(0), &json!(null)));
}

#[tokio::test]
async fn a_key_and_its_log_row_are_one_transaction() {
    let db = Db::new().await;
    ApiKeys::new(&db.database)
        .create(&internal(), &new_key(Role::Viewer))
        .await
        .unwrap();
    let same = "SELECT count(*) FROM api_key k, request_log r WHERE k.xmin::text = r.xmin::text";
    assert_eq!(db.number(same).await, 1);

    // If the row is refused, no key is created.
    db.run("ALTER TABLE request_log ADD CONSTRAINT no_more_keys CHECK (request_type <> 'create_api_key') NOT VALID")
        .await;
    let refused = ApiKeys::new(&db.database)
        .create(&internal(), &new_key(Role::Viewer))
        .await;
    assert!(matches!(refused, Err(StorageError::Query(_))), "{refused:?}");
    assert_eq!(db.number("SELECT count(*) FROM api_key").await, 1);
}

#[tokio::test]
async fn an_unknown_company_gets_no_key_and_no_log_row() {
    let db = Db::new().await;
    let unknown = CreateKey {
        company_id: CompanyId(99),
        ..new_key(Role::Viewer)
    };
    let refused = ApiKeys::new(&db.database).create(&internal(), &unknown).await;
    assert!(
        matches!(refused, Err(StorageError::NoSuchCompany(CompanyId(99)))),
        "{refused:?}"
    );
    assert_eq!(db.number("SELECT count(*) FROM api_key").await, 0);
    assert!(db.rows().await.is_empty());
}

#[tokio::test]
async fn a_refused_name_stores_nothing() {
    let db = Db::new().await;
    for name in [String::new(), "x".repeat(201)] {
        let bad = CreateKey {
            name,
            ..new_key(Role::Viewer)
        };
        assert!(ApiKeys::new(&db.database).create(&internal(), &bad).await.is_err());
    }
    assert_eq!(db.number("SELECT count(*) FROM api_key").await, 0);
    assert!(db.rows().await.is_empty());
}

#[tokio::test]
async fn a_found_key_has_its_limits_expiry_and_revocation() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let made = keys.create(&internal(), &new_key(Role::Viewer)).await.unwrap();
    db.run(
        "UPDATE api_key SET accounts = '{10, 70403103932111}', default_account_id = 10,
            expires_at = '2026-03-04 12:00:01Z', revoked_at = '2026-03-05 00:00:00Z'",
    )
    .await;
    let hash = KeyHash::of(made.key.expose_secret()).unwrap();

    let found = keys.find(&hash).await.unwrap().unwrap();

    assert_eq!(
        found.caller.accounts,
        Some(vec![AccountId(10), AccountId(70_403_103_932_111)])
    );
    assert_eq!(found.caller.default_account, Some(AccountId(10)));
    assert_eq!(found.expires_at, Some(noon() + TimeDelta::seconds(1)));
    assert!(found.revoked_at.is_some() && !found.is_valid(noon()));
}

#[tokio::test]
async fn an_empty_list_of_accounts_allows_no_account() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let made = keys.create(&internal(), &new_key(Role::Viewer)).await.unwrap();
    db.run("UPDATE api_key SET accounts = '{}'").await;
    let hash = KeyHash::of(made.key.expose_secret()).unwrap();
    let found = keys.find(&hash).await.unwrap().unwrap();
    assert_eq!(found.caller.accounts, Some(vec![]));
    assert!(!found.caller.may_use(AccountId(10)));
}
