//! Limits, lists, revocation and last use of API keys.

use chrono::{TimeDelta, TimeZone as _, Utc};
use model::{AccountId, ApiKeyId, CompanyId, FixedClock, RequestStamp, Role, Surface};
use secrecy::ExposeSecret as _;
use serde_json::json;
use sqlx::AssertSqlSafe;
use storage::{ApiKeyInfo, ApiKeys, CreateKey, KeyHash, NewKey, RequestLog as _, Revocation, StorageError};

use crate::support::{Db, noon};

const COMPANY: CompanyId = CompanyId(1);

fn stamp() -> RequestStamp {
    RequestStamp::now(&FixedClock::at(noon()), Surface::Rest, None)
}

fn limited() -> CreateKey {
    CreateKey {
        accounts: Some(vec![AccountId(10), AccountId(70_403_103_932_111)]),
        default_account: Some(AccountId(10)),
        expires_at: Some(noon() + TimeDelta::days(1)),
        by: Some(ApiKeyId(4711)),
        ..CreateKey::new(COMPANY, "airflow", Role::Operator)
    }
}

async fn make(keys: &ApiKeys, name: &str) -> NewKey {
    let order = CreateKey::new(COMPANY, name, Role::Viewer);
    keys.create(&stamp(), &order).await.unwrap()
}

async fn get(keys: &ApiKeys, id: ApiKeyId) -> ApiKeyInfo {
    keys.get(COMPANY, id).await.unwrap().expect("a key of the company")
}

#[tokio::test]
async fn a_limited_key_is_found_and_listed_with_its_limits() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let order = limited();
    let made = keys.create(&stamp(), &order).await.unwrap();

    let hash = KeyHash::of(made.key.expose_secret()).unwrap();
    let found = keys.find(&hash).await.unwrap().unwrap();
    assert_eq!(found.caller.accounts, order.accounts);
    assert_eq!(found.caller.default_account, order.default_account);
    assert!(found.is_valid(noon()) && !found.is_valid(noon() + TimeDelta::days(1)));

    let info = get(&keys, made.id).await;
    assert_eq!(
        (info.name.as_str(), info.role, info.id),
        ("airflow", Role::Operator, made.id)
    );
    assert_eq!(
        (&info.accounts, info.default_account, info.expires_at),
        (&order.accounts, order.default_account, order.expires_at)
    );
    assert_eq!((info.revoked_at, info.last_used_at), (None, None));
    let start: String = made.key.expose_secret().chars().take(12).collect();
    assert_eq!(info.prefix, start);
    assert_eq!(keys.list(COMPANY).await.unwrap(), [info]);
}

#[tokio::test]
async fn the_log_row_of_a_limited_key_has_its_limits_and_its_creator() {
    let db = Db::new().await;
    let made = ApiKeys::new(&db.database).create(&stamp(), &limited()).await.unwrap();
    let row = db.only_row().await;
    assert_eq!(row["api_key_id"], 4711);
    assert_eq!(
        row["args"],
        json!({
            "api_key_id": made.id,
            "name": "airflow",
            "role": "operator",
            "accounts": [10, 70_403_103_932_111_i64],
            "default_account": 10,
            "expires_at": "2026-03-05T12:00:00Z",
        })
    );
}

#[tokio::test]
async fn no_part_of_a_keys_secret_or_hash_is_listed() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let made = make(&keys, "airflow").await;
    let secret = made.key.expose_secret().rsplit('_').next().unwrap();
    let listed = format!(
        "{:?} {:?} {made:?}",
        keys.list(COMPANY).await.unwrap(),
        get(&keys, made.id).await
    );
    for start in (0..secret.len() - 8).step_by(4) {
        assert!(!listed.contains(&secret[start..start + 8]), "{listed}");
    }
    assert!(!listed.contains("hash"), "{listed}");
}

#[tokio::test]
async fn a_default_account_outside_the_list_is_refused_by_program_and_table() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    for accounts in [vec![], vec![AccountId(10)]] {
        let order = CreateKey {
            accounts: Some(accounts),
            default_account: Some(AccountId(11)),
            ..limited()
        };
        let refused = keys.create(&stamp(), &order).await;
        assert!(
            matches!(refused, Err(StorageError::DefaultAccountNotAllowed(AccountId(11)))),
            "{refused:?}"
        );
    }
    assert!(db.rows().await.is_empty() && keys.list(COMPANY).await.unwrap().is_empty());
    // Without a list any account may be the default; without a default any list is allowed.
    let unlimited = CreateKey {
        accounts: None,
        ..limited()
    };
    keys.create(&stamp(), &unlimited).await.unwrap();
    let without_default = CreateKey {
        default_account: None,
        ..limited()
    };
    keys.create(&stamp(), &without_default).await.unwrap();

    let impossible = [
        (
            "accounts = '{10}', default_account_id = 11",
            "api_key_default_account_is_allowed",
        ),
        (
            "accounts = '{}', default_account_id = 11",
            "api_key_default_account_is_allowed",
        ),
        ("accounts = '{10, NULL}'", "api_key_accounts_check"),
    ];
    for (columns, constraint) in impossible {
        let sql = AssertSqlSafe(format!("UPDATE api_key SET {columns}"));
        let error = sqlx::raw_sql(sql).execute(db.test.pool()).await.unwrap_err();
        assert_eq!(
            error.as_database_error().unwrap().constraint(),
            Some(constraint),
            "{columns}"
        );
    }
}

#[tokio::test]
async fn an_invalid_name_is_reported() {
    let db = Db::new().await;
    for name in ["", "a\0b", &"x".repeat(201)] {
        let order = CreateKey::new(COMPANY, name, Role::Viewer);
        let refused = ApiKeys::new(&db.database).create(&stamp(), &order).await;
        assert!(matches!(refused, Err(StorageError::InvalidName(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_invalid_listed_and_logged() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let (made, other) = (make(&keys, "airflow").await, make(&keys, "dagster").await);
    let stamp = stamp();
    let revoked = keys.revoke(COMPANY, &stamp, Some(ApiKeyId(5)), made.id).await;

    let Revocation { key: revoked, row } = revoked.unwrap().expect("a key of the company");
    db.log().write(&[row]).await.unwrap();
    assert!(revoked.revoked_at.is_some());
    let hash = KeyHash::of(made.key.expose_secret()).unwrap();
    assert!(!keys.find(&hash).await.unwrap().unwrap().is_valid(noon()));
    assert_eq!(keys.list(COMPANY).await.unwrap(), [revoked, get(&keys, other.id).await]);
    assert_eq!(get(&keys, other.id).await.revoked_at, None);

    let rows = db.rows().await;
    let uuid = stamp.request_uuid().to_string();
    let row = rows.iter().find(|row| row["request_uuid"] == uuid).unwrap();
    assert_eq!(
        (
            &row["surface"],
            &row["request_type"],
            &row["outcome"],
            &row["company_id"],
            &row["api_key_id"]
        ),
        (
            &json!("rest"),
            &json!("revoke_api_key"),
            &json!("succeeded"),
            &json!(1),
            &json!(5)
        )
    );
    assert_eq!(row["args"], json!({"api_key_id": made.id, "name": "airflow"}));
}

#[tokio::test]
async fn revoking_again_keeps_the_first_time_and_is_logged_as_repeated() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let made = make(&keys, "airflow").await;
    let first = keys.revoke(COMPANY, &stamp(), None, made.id).await.unwrap().unwrap();
    let again = keys.revoke(COMPANY, &stamp(), None, made.id).await.unwrap().unwrap();
    assert_eq!(again.key, first.key);
    db.log().write(&[first.row, again.row]).await.unwrap();
    let repeated = "SELECT count(*) FROM request_log WHERE (args->>'already_revoked')::boolean";
    assert_eq!(db.number(repeated).await, 1);
    assert_eq!(db.rows().await.len(), 3);
}

#[tokio::test]
async fn a_key_is_revoked_without_the_request_log() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let made = make(&keys, "airflow").await;
    db.run("DROP TABLE request_log CASCADE").await;
    let revoked = keys.revoke(COMPANY, &stamp(), None, made.id).await.unwrap().unwrap();
    assert_eq!(revoked.key, get(&keys, made.id).await);
    assert!(revoked.key.revoked_at.is_some());
}

#[tokio::test]
async fn an_unknown_key_is_neither_read_nor_revoked() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    assert_eq!(keys.get(COMPANY, ApiKeyId(1)).await.unwrap(), None);
    let unknown = keys.revoke(COMPANY, &stamp(), None, ApiKeyId(1)).await.unwrap();
    assert!(unknown.is_none(), "{unknown:?}");
    assert!(db.rows().await.is_empty());
}

#[tokio::test]
async fn last_use_is_stored_in_minutes_and_never_decreases() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let (one, two, idle) = (
        make(&keys, "1").await.id,
        make(&keys, "2").await.id,
        make(&keys, "3").await.id,
    );
    let at = |minute, second| Utc.with_ymd_and_hms(2026, 3, 4, 12, minute, second).unwrap();

    keys.touch(&[two, one, one, ApiKeyId(999)], at(5, 59)).await.unwrap();
    assert_eq!(get(&keys, one).await.last_used_at, Some(at(5, 0)));
    assert_eq!(get(&keys, two).await.last_used_at, Some(at(5, 0)));
    assert_eq!(get(&keys, idle).await.last_used_at, None);

    keys.touch(&[one], at(7, 1)).await.unwrap();
    keys.touch(&[one], at(6, 30)).await.unwrap();
    keys.touch(&[], at(9, 0)).await.unwrap();
    assert_eq!(get(&keys, one).await.last_used_at, Some(at(7, 0)));
    assert_eq!(get(&keys, two).await.last_used_at, Some(at(5, 0)));
}

#[tokio::test]
async fn recording_the_same_minute_again_writes_nothing() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let id = make(&keys, "airflow").await.id;
    keys.touch(&[id], noon()).await.unwrap();
    let written = db.number("SELECT xmin::text::bigint FROM api_key").await;
    keys.touch(&[id], noon() + TimeDelta::seconds(59)).await.unwrap();
    assert_eq!(db.number("SELECT xmin::text::bigint FROM api_key").await, written);
}

#[tokio::test]
async fn last_use_locks_keys_in_the_order_of_ids_so_that_replicas_cannot_deadlock() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let (first, second) = (make(&keys, "1").await.id, make(&keys, "2").await.id);
    // After an update the first key is stored behind the second one.
    keys.touch(&[first], noon()).await.unwrap();
    let lock = |id: ApiKeyId| format!("SELECT 1 FROM api_key WHERE id = {id} FOR UPDATE NOWAIT");
    let mut held = db.test.pool().begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(lock(first)))
        .execute(&mut *held)
        .await
        .unwrap();

    let recording = {
        let keys = keys.clone();
        tokio::spawn(async move { keys.touch(&[second, first], noon() + TimeDelta::minutes(1)).await })
    };
    db.blocked("WITH used").await;
    // It waits for the first key and has not locked the second one.
    db.run(&lock(second)).await;
    held.rollback().await.unwrap();

    recording.await.unwrap().unwrap();
    let listed = keys.list(COMPANY).await.unwrap();
    let recorded = Some(noon() + TimeDelta::minutes(1));
    assert!(listed.iter().all(|key| key.last_used_at == recorded), "{listed:?}");
}

#[tokio::test]
async fn a_key_is_located_by_its_id_or_the_beginning_of_its_text() {
    let db = Db::new().await;
    let keys = ApiKeys::new(&db.database);
    let new = keys.create(&stamp(), &limited()).await.unwrap();
    let text = new.key.expose_secret().to_owned();
    let found = vec![(CompanyId(1), new.id)];
    for name in [new.id.to_string().as_str(), &text[..12], &text] {
        assert_eq!(keys.locate(name).await.unwrap(), found, "{name}");
    }
    for name in ["", "0", "dgw_", "dgw_0", "x", &text[4..12]] {
        assert!(keys.locate(name).await.unwrap().is_empty(), "{name}");
    }
    let listed = keys.list_for_operator(None).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].0, listed[0].1.id), found[0]);
    assert!(keys.list_for_operator(Some(CompanyId(4711))).await.unwrap().is_empty());
}
