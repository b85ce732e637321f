//! Companies: created, listed, logged.

use model::{CompanyId, FixedClock, RequestStamp, Surface};
use serde_json::json;
use storage::{Companies, StorageError};

use crate::support::{Db, noon};

fn stamp() -> RequestStamp {
    RequestStamp::now(&FixedClock::at(noon()), Surface::Internal, None)
}

#[tokio::test]
async fn a_new_company_is_listed_after_the_default_one() {
    let db = Db::new().await;
    let companies = Companies::new(&db.database);
    let longest = "é".repeat(200);
    let id = companies.create(&stamp(), &longest).await.unwrap();
    let listed = companies.list().await.unwrap();
    let named: Vec<_> = listed
        .iter()
        .map(|company| (company.id, company.name.as_str()))
        .collect();
    assert_eq!(named, [(CompanyId(1), "default"), (id, longest.as_str())]);
}

#[tokio::test]
async fn creating_a_company_is_logged_in_the_same_transaction() {
    let db = Db::new().await;
    let companies = Companies::new(&db.database);
    let stamp_of_acme = stamp();
    let id = companies.create(&stamp_of_acme, "acme").await.unwrap();
    let row = db.only_row().await;
    assert_eq!(row["request_uuid"], stamp_of_acme.request_uuid().to_string());
    assert_eq!(
        (
            &row["surface"],
            &row["request_type"],
            &row["outcome"],
            &row["company_id"]
        ),
        (
            &json!("internal"),
            &json!("create_company"),
            &json!("succeeded"),
            &json!(id)
        )
    );
    assert_eq!(row["args"], json!({"company_id": id, "name": "acme"}));

    db.run("ALTER TABLE request_log ADD CONSTRAINT no_more CHECK (request_type <> 'create_company') NOT VALID")
        .await;
    let refused = companies.create(&stamp(), "umbrella").await;
    assert!(matches!(refused, Err(StorageError::Query(_))), "{refused:?}");
    assert_eq!(companies.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_taken_or_invalid_name_creates_no_company_and_no_log_row() {
    let db = Db::new().await;
    let companies = Companies::new(&db.database);
    let taken = companies.create(&stamp(), "default").await;
    assert!(matches!(taken, Err(StorageError::NameTaken)), "{taken:?}");
    for name in ["", "a\0b", &"x".repeat(201)] {
        let refused = companies.create(&stamp(), name).await;
        assert!(matches!(refused, Err(StorageError::InvalidName(_))), "{refused:?}");
    }
    assert_eq!(companies.list().await.unwrap().len(), 1);
    assert!(db.rows().await.is_empty());
}

#[tokio::test]
async fn a_suspension_works_while_the_log_cannot_be_written_and_its_row_can_follow() {
    let db = Db::new().await;
    let companies = Companies::new(&db.database);
    let suspended = async || companies.list().await.unwrap()[0].suspended_at;
    db.run("ALTER TABLE request_log RENAME TO gone").await;
    let first = companies
        .set_suspended(&stamp(), CompanyId(1), true)
        .await
        .unwrap()
        .unwrap();
    assert!(storage::write_row(&db.database, &first.row).await.is_err());
    let at = suspended().await;
    assert!(at.is_some() && first.company.suspended_at == at);
    let again = companies
        .set_suspended(&stamp(), CompanyId(1), true)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.company.suspended_at, at, "the first time is kept");

    db.run("ALTER TABLE gone RENAME TO request_log").await;
    storage::write_row(&db.database, &first.row).await.unwrap();
    let resumed = companies
        .set_suspended(&stamp(), CompanyId(1), false)
        .await
        .unwrap()
        .unwrap();
    storage::write_row(&db.database, &resumed.row).await.unwrap();
    assert_eq!(suspended().await, None);
    // Both may have arrived in the same millisecond.
    let mut types: Vec<_> = db
        .rows()
        .await
        .iter()
        .map(|row| row["request_type"].to_string())
        .collect();
    types.sort();
    assert_eq!(types, ["\"resume_company\"", "\"suspend_company\""]);
    let unknown = companies.set_suspended(&stamp(), CompanyId(4711), true).await.unwrap();
    assert!(unknown.is_none());
}
