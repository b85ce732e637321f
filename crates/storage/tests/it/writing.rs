//! A request has one row, which is opened, closed once, and never reopened.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{AccountId, ApiKeyId, InstanceId, JobId, RunId};
use serde_json::{Value, json};
use storage::{Closing, LogRow, Outcome, RequestLog as _, RowLimits};

use crate::support::{Db, closing, complete_row, fixed, noon, stamp_at};

/// The open row of a request, and its complete row by outcome.
fn request() -> (LogRow, impl Fn(Outcome) -> LogRow) {
    let stamp = stamp_at(noon());
    let fixed = Arc::new(fixed(&stamp));
    let open = fixed.open();
    (open, move |outcome| fixed.open().close(closing(&stamp, outcome)))
}

#[tokio::test]
async fn an_opened_and_closed_row_is_one_complete_row() {
    let db = Db::new().await;
    let stamp = stamp_at(noon());
    let mut part = fixed(&stamp);
    part.api_key_id = Some(ApiKeyId(5));
    part.account_id = Some(AccountId(70_403_103_932_111));
    part.job_id = Some(JobId(i64::MAX));
    part.instance_id = Some(InstanceId(9));
    let part = Arc::new(part);
    let log = db.log();

    log.write(&[part.open()]).await.unwrap();
    let open = db.only_row().await;
    for column in [
        "finished_at",
        "outcome",
        "duration_ms",
        "status_code",
        "run_id",
        "error",
        "served_from",
        "source_request_uuid",
    ] {
        assert!(open[column].is_null(), "{column}: {}", open[column]);
    }
    assert_eq!((&open["exchanges"], &open["attempts"]), (&json!([]), &json!(0)));

    let limits = RowLimits::default();
    let ended = noon() + chrono::TimeDelta::milliseconds(1500);
    let exchanges = json!([{"operation": "trigger_job", "status": 500}]);
    let end = Closing::new(Outcome::UnexpectedStatus, &stamp, ended, Some("dbt says no"), &limits);
    let mut end = end.with_exchanges(1, &exchanges, &limits);
    end.status_code = Some(500);
    end.run_id = Some(RunId(77));
    end.bytes = Some(12);
    log.write(&[part.open().close(end)]).await.unwrap();

    let mut row = db.only_row().await;
    assert!(row["duration_ms"].take().as_f64().unwrap() >= 0.0);
    assert_eq!(
        row,
        json!({
            "request_uuid": stamp.request_uuid(), "caller_request_id": null, "surface": "rest",
            "client_type": "dbt_cloud_administrative", "request_type": "get_project", "template": null,
            "company_id": 1, "api_key_id": 5, "credential": null, "account_id": 70_403_103_932_111_i64,
            "job_id": i64::MAX, "run_id": 77, "args": {"project_id": 7}, "status_code": 500,
            "outcome": "unexpected_status", "error": "dbt says no", "attempts": 1, "exchanges": exchanges, "bytes": 12,
            "served_from": "dbt", "source_request_uuid": null, "instance_id": 9, "started_at": "2026-03-04T12:00:00+00:00",
            "finished_at": "2026-03-04T12:00:01.5+00:00", "duration_ms": null,
        })
    );
}

#[tokio::test]
async fn a_close_without_an_open_is_the_complete_row() {
    let db = Db::new().await;
    db.log().write(&[complete_row(Outcome::NotFound)]).await.unwrap();
    let row = db.only_row().await;
    assert_eq!(
        (&row["outcome"], &row["args"]),
        (&json!("not_found"), &json!({"project_id": 7}))
    );
    assert_eq!(
        row["served_from"],
        json!(null),
        "no exchange, so not served by dbt Cloud"
    );
}

#[tokio::test]
async fn a_run_known_at_arrival_is_kept_if_the_close_has_none() {
    let db = Db::new().await;
    let stamp = stamp_at(noon());
    let mut part = fixed(&stamp);
    part.run_id = Some(RunId(11));
    let part = Arc::new(part);
    db.log().write(&[part.open()]).await.unwrap();
    db.log()
        .write(&[part.open().close(closing(&stamp, Outcome::Succeeded))])
        .await
        .unwrap();
    assert_eq!(db.only_row().await["run_id"], 11);
}

#[tokio::test]
async fn a_late_close_overwrites_abandoned_and_nothing_else() {
    let db = Db::new().await;
    let log = db.log();
    let mut expected = BTreeMap::new();
    for first in Outcome::ALL {
        let (open, closed_as) = request();
        let uuid = open.request_uuid().to_string();
        log.write(&[open]).await.unwrap();
        log.write(&[closed_as(first)]).await.unwrap();
        let late = if first == Outcome::Succeeded {
            Outcome::Timeout
        } else {
            Outcome::Succeeded
        };

        log.write(&[closed_as(late)]).await.unwrap();

        let kept = if first == Outcome::Abandoned { late } else { first };
        expected.insert(uuid, kept.as_str().to_owned());
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = db.rows().await;
    let outcomes: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (text(&row["request_uuid"]), text(&row["outcome"])))
        .collect();
    assert_eq!(outcomes, expected);
    assert_eq!(rows.len(), Outcome::ALL.len());
}

#[tokio::test]
async fn writing_a_group_again_changes_nothing() {
    let db = Db::new().await;
    let (open, _) = request();
    let group = [open, complete_row(Outcome::Succeeded), complete_row(Outcome::Timeout)];
    let log = db.log();
    log.write(&group).await.unwrap();
    let once = db.rows().await;
    log.write(&group).await.unwrap();
    assert_eq!(db.rows().await, once);
    assert_eq!(once.len(), 3);
}

#[tokio::test]
async fn an_open_row_after_its_close_does_not_reopen_it() {
    for outcome in [Outcome::Succeeded, Outcome::Abandoned] {
        let db = Db::new().await;
        let (open, closed_as) = request();
        let log = db.log();
        log.write(&[closed_as(outcome)]).await.unwrap();
        let closed = db.only_row().await;
        log.write(&[open]).await.unwrap();
        assert_eq!(db.only_row().await, closed);
    }
}

#[tokio::test]
async fn a_group_is_written_completely_or_not_at_all() {
    let db = Db::new().await;
    db.run("ALTER TABLE request_log ADD CONSTRAINT no_timeouts CHECK (outcome <> 'timeout')")
        .await;
    let group = [
        complete_row(Outcome::Succeeded),
        complete_row(Outcome::Timeout),
        complete_row(Outcome::Succeeded),
    ];
    assert!(db.log().write(&group).await.is_err());
    assert_eq!(db.rows().await, [json!(null); 0]);
}
