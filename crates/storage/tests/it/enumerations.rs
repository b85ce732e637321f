//! Program and table have the same enumeration values.

use std::collections::BTreeSet;

use model::{CallerRequestId, CompanyId, FixedClock, RequestStamp, RequestType, Surface};
use serde_json::json;
use storage::{FixedColumns, Outcome, RequestLog as _, RowLimits};

use crate::support::{Db, closing, complete_row, noon, stamp_at};

#[tokio::test]
async fn the_table_accepts_every_outcome() {
    let db = Db::new().await;
    let rows = Outcome::ALL.map(complete_row);
    db.log().write(&rows).await.unwrap();

    for row in rows {
        let outcome = row.outcome().unwrap();
        let sql = format!(
            "SELECT count(*) FROM request_log WHERE request_uuid = '{}' AND outcome = '{}'",
            row.request_uuid(),
            outcome.as_str()
        );
        assert_eq!(db.number(&sql).await, 1, "{outcome:?}");
    }
}

#[tokio::test]
async fn program_and_table_have_the_same_outcomes() {
    let db = Db::new().await;
    let sql = "SELECT pg_get_constraintdef(oid) FROM pg_constraint
               WHERE conrelid = 'request_log'::regclass AND conname = 'request_log_outcome_check'";
    let check: String = sqlx::query_scalar(sql).fetch_one(db.test.pool()).await.unwrap();
    let list = check.split_once("'{").and_then(|(_, rest)| rest.split_once("}'"));
    let in_the_table: BTreeSet<&str> = list.unwrap().0.split(',').collect();
    let in_the_program: BTreeSet<&str> = Outcome::ALL.map(Outcome::as_str).into();
    assert_eq!(in_the_table, in_the_program);
}

#[tokio::test]
async fn every_request_type_is_read_back_from_the_table() {
    let db = Db::new().await;
    let log = db.log();
    for request_type in RequestType::ALL {
        let stamp = stamp_at(noon());
        let fixed = FixedColumns::new(&stamp, request_type, CompanyId(1), &json!({}), &RowLimits::default());
        log.write(&[fixed.closed(closing(&stamp, Outcome::Succeeded))])
            .await
            .unwrap();

        let sql = "SELECT request_type, client_type FROM request_log WHERE request_uuid = $1";
        let (name, client_type): (String, Option<String>) = sqlx::query_as(sql)
            .bind(stamp.request_uuid())
            .fetch_one(db.test.pool())
            .await
            .unwrap();
        assert_eq!(RequestType::from_name(&name), Some(request_type));
        assert_eq!(
            client_type.as_deref(),
            request_type.client_type().map(model::ClientType::as_str)
        );
    }
}

#[tokio::test]
async fn every_surface_and_the_longest_caller_request_id_are_accepted() {
    let db = Db::new().await;
    let longest = "x".repeat(CallerRequestId::MAX_CHARS);
    for surface in [Surface::Rest, Surface::Dbt, Surface::Internal] {
        let stamp = RequestStamp::now(&FixedClock::at(noon()), surface, CallerRequestId::new(&longest));
        let fixed = FixedColumns::new(
            &stamp,
            RequestType::GetRun,
            CompanyId(1),
            &json!({}),
            &RowLimits::default(),
        );
        let row = fixed.closed(closing(&stamp, Outcome::Succeeded));
        db.log().write(&[row]).await.unwrap();
    }
    let rows = db.rows().await;
    let surfaces: BTreeSet<_> = rows.iter().map(|row| row["surface"].as_str().unwrap()).collect();
    assert_eq!(surfaces, BTreeSet::from(["dbt", "internal", "rest"]));
    assert!(rows.iter().all(|row| row["caller_request_id"] == longest.as_str()));
}
