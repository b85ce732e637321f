//! Partitions are created ahead and dropped after the retention period, while the log is read and written.

use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta, Utc};
use futures::future;
use sqlx::PgConnection;
use storage::{LogRow, Outcome, Partitions, RequestLog as _};

use crate::support::{Db, TIMEOUT, closing, fixed, leave_half_detached, partition_names, stamp_at};

/// Today by the database's clock, which decides about expiry.
#[expect(clippy::disallowed_methods, reason = "the database uses the clock of this machine")]
fn today() -> NaiveDate {
    Utc::now().date_naive()
}

fn name(day: NaiveDate) -> String {
    format!("request_log_{}", day.format("%Y%m%d"))
}

fn days_ago(days: u64) -> NaiveDate {
    today() - Days::new(days)
}

fn row_of(day: NaiveDate) -> LogRow {
    let stamp = stamp_at(day.and_hms_opt(12, 0, 0).unwrap().and_utc());
    fixed(&stamp).closed(closing(&stamp, Outcome::Succeeded))
}

/// A log with a row on each of these days.
async fn log_of(days: impl IntoIterator<Item = NaiveDate>) -> (Db, Partitions) {
    let db = Db::new().await;
    let rows: Vec<_> = days.into_iter().map(row_of).collect();
    db.log().write(&rows).await.unwrap();
    let partitions = Partitions::new(&db.database, TIMEOUT);
    (db, partitions)
}

async fn tables(db: &Db) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relname ~ '^request_log_[0-9]+$' AND relkind = 'r' ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(db.test.pool()).await.unwrap()
}

#[tokio::test]
async fn partitions_of_today_and_the_next_days_are_created_also_after_clock_jumps() {
    let db = Db::new().await;
    let partitions = Partitions::new(&db.database, TIMEOUT);
    let date = |text: &str| text.parse::<NaiveDate>().unwrap();
    for today in ["2026-03-04", "2026-03-04", "2031-12-31", "2024-02-28", "9999-12-31"] {
        partitions.make_ahead(date(today)).await.unwrap();
    }
    let expected = [
        "20240228", "20240229", "20240301", "20260304", "20260305", "20260306", "20311231", "20320101", "20320102",
        "99991231",
    ];
    let mut expected: Vec<_> = expected.iter().map(|day| format!("request_log_{day}")).collect();
    expected.insert(0, "request_log_100000102".to_owned());
    expected.insert(0, "request_log_100000101".to_owned());
    assert_eq!(tables(&db).await, expected);
}

#[tokio::test]
async fn only_days_before_the_retention_period_are_dropped() {
    let (db, partitions) = log_of([100, 31, 30, 29, 0].map(days_ago)).await;
    partitions.make_ahead(today()).await.unwrap();
    assert_eq!(
        partitions.drop_expired(today(), 30).await.unwrap().partitions,
        [name(days_ago(100)), name(days_ago(31))]
    );
    assert_eq!(partition_names(&db).await, [30, 29, 0].map(|days| name(days_ago(days))));
    assert!(
        partitions
            .drop_expired(today(), 30)
            .await
            .unwrap()
            .partitions
            .is_empty()
    );
    assert_eq!(tables(&db).await.len(), 3 + 2, "and the two days ahead");
}

#[tokio::test]
async fn one_clock_that_is_ahead_drops_nothing() {
    let (db, partitions) = log_of([29, 0].map(days_ago)).await;
    let wrong = today() + Days::new(1000);
    assert!(partitions.drop_expired(wrong, 30).await.unwrap().partitions.is_empty());
    assert_eq!(partition_names(&db).await.len(), 2);
    // A clock that is behind keeps more days.
    let (_db, partitions) = log_of([31, 0].map(days_ago)).await;
    assert!(
        partitions
            .drop_expired(days_ago(10), 30)
            .await
            .unwrap()
            .partitions
            .is_empty()
    );
}

/// What `pg_dump` does for hours: it reads every partition in one transaction.
async fn dump(db: &Db) -> PgConnection {
    let mut dump = db.connect().await;
    let every_day = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; LOCK TABLE request_log IN ACCESS SHARE MODE";
    sqlx::raw_sql(every_day).execute(&mut dump).await.unwrap();
    dump
}

#[tokio::test]
async fn the_days_change_beside_a_long_dump_without_blocking_anyone() {
    let (db, partitions) = log_of([40, 0].map(days_ago)).await;
    let mut dump = dump(&db).await;
    for _minute in 0..2 {
        let dropped = partitions.drop_expired(today(), 30).await.unwrap();
        assert!(
            dropped.partitions.is_empty() && dropped.are_others_in_use,
            "{dropped:?}"
        );
    }
    // Nothing waits, not even for a moment, also not for new days.
    partitions.make_ahead(today() + Days::new(3)).await.unwrap();
    let rows = [0, 1, 3, 9].map(|days| row_of(today() + Days::new(days)));
    db.log().write(&rows).await.unwrap();
    let mut in_dump = async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(&mut dump).await.unwrap() };
    assert_eq!(
        in_dump("SELECT count(*) FROM request_log").await,
        2,
        "its snapshot is whole"
    );
    assert_eq!(db.number("SELECT count(*) FROM request_log").await, 6);

    sqlx::raw_sql("ROLLBACK").execute(&mut dump).await.unwrap();
    let dropped = partitions.drop_expired(today(), 30).await.unwrap();
    assert_eq!(dropped.partitions, [name(days_ago(40))]);
    assert!(!dropped.are_others_in_use);
    assert_eq!(partition_names(&db).await.len(), 5);
}

#[tokio::test]
async fn an_expired_day_in_use_keeps_no_other_from_being_dropped() {
    let (db, partitions) = log_of([42, 41, 40, 0].map(days_ago)).await;
    let mut reader = db.connect().await;
    let reading = format!("BEGIN; SELECT count(*) FROM {}", name(days_ago(41)));
    sqlx::raw_sql(sqlx::AssertSqlSafe(reading))
        .execute(&mut reader)
        .await
        .unwrap();
    let dropped = partitions.drop_expired(today(), 30).await.unwrap();
    assert_eq!(dropped.partitions, [42, 40].map(|days| name(days_ago(days))));
    assert!(dropped.are_others_in_use);
}

#[tokio::test]
async fn a_search_of_the_log_delays_a_drop_and_writers_wait_for_neither() {
    let (db, _) = log_of([40, 0].map(days_ago)).await;
    let partitions = Partitions::new(&db.database, Duration::from_millis(50));
    // A search of today: it uses the log and one partition.
    let mut search = db.connect().await;
    let searching = format!(
        "BEGIN; SELECT count(*) FROM request_log WHERE started_at >= '{}T00:00:00Z'",
        today()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(searching))
        .execute(&mut search)
        .await
        .unwrap();
    let dropped = partitions.drop_expired(today(), 30).await.unwrap();
    assert!(
        dropped.partitions.is_empty() && dropped.are_others_in_use,
        "{dropped:?}"
    );

    // Beside a drop that waits, a writer waits at most as long.
    let patient = Partitions::new(&db.database, Duration::from_millis(300));
    let dropping = tokio::spawn(async move { patient.drop_expired(today(), 30).await });
    db.blocked("SELECT dropped, is_in_use").await;
    let log = db.log();
    let written = tokio::time::timeout(TIMEOUT, log.write(&[row_of(today())])).await;
    written.unwrap().unwrap();
    assert!(dropping.await.unwrap().unwrap().are_others_in_use);

    sqlx::raw_sql("ROLLBACK").execute(&mut search).await.unwrap();
    assert_eq!(
        partitions.drop_expired(today(), 30).await.unwrap().partitions,
        [name(days_ago(40))]
    );
}

#[tokio::test]
async fn no_setting_makes_the_log_of_today_expire() {
    let (db, partitions) = log_of([1, 0].map(days_ago)).await;
    assert!(
        partitions.drop_expired(today(), 0).await.is_err(),
        "the function refuses it"
    );
    assert_eq!(partition_names(&db).await.len(), 2);
}

#[tokio::test]
async fn a_day_that_is_half_detached_is_dropped_and_a_detached_one_kept() {
    let (db, partitions) = log_of([42, 41, 0].map(days_ago)).await;
    let kept = name(days_ago(41));
    db.run(&format!("ALTER TABLE request_log DETACH PARTITION {kept}"))
        .await;
    leave_half_detached(&db, &name(days_ago(42))).await;

    assert_eq!(
        partitions.drop_expired(today(), 30).await.unwrap().partitions,
        [name(days_ago(42))]
    );
    assert_eq!(
        tables(&db).await,
        [kept, name(today())],
        "a day that an operator detached is kept"
    );
}

#[tokio::test]
async fn a_row_for_a_day_that_an_operator_detached_attaches_it_again() {
    let (db, partitions) = log_of([40, 0].map(days_ago)).await;
    let old = name(days_ago(40));
    db.run(&format!("ALTER TABLE request_log DETACH PARTITION {old}")).await;
    db.log().write(&[row_of(days_ago(40))]).await.unwrap();
    assert_eq!(partition_names(&db).await.len(), 3);
    db.run(&format!("ALTER TABLE request_log DETACH PARTITION {old}")).await;
    assert!(
        partitions
            .drop_expired(today(), 30)
            .await
            .unwrap()
            .partitions
            .is_empty()
    );
    assert_eq!(tables(&db).await, [old, name(today())]);
}

#[tokio::test]
async fn concurrent_processes_drop_each_day_once() {
    let (db, partitions) = log_of((0..8).map(|days| days_ago(40 + days)).chain([today()])).await;
    let racers = (0..4).map(|_| partitions.drop_expired(today(), 30));
    let results = future::join_all(racers).await;
    let mut dropped: Vec<String> = results
        .into_iter()
        .flat_map(|result| result.unwrap().partitions)
        .collect();
    // Those that found another one at work.
    dropped.extend(partitions.drop_expired(today(), 30).await.unwrap().partitions);
    dropped.sort();
    let expired: Vec<_> = (0..8).rev().map(|days| name(days_ago(40 + days))).collect();
    assert_eq!(dropped, expired);
    assert_eq!(tables(&db).await, [name(today())]);
}

#[tokio::test]
async fn an_open_row_of_a_kept_day_is_closed_while_another_day_is_dropped() {
    let (db, partitions) = log_of([40].map(days_ago)).await;
    let stamp = stamp_at(today().and_hms_opt(0, 0, 1).unwrap().and_utc() - TimeDelta::days(1));
    let open = std::sync::Arc::new(fixed(&stamp));
    let log = db.log();
    log.write(&[open.open()]).await.unwrap();
    partitions.drop_expired(today(), 1).await.unwrap();
    log.write(&[open.open().close(closing(&stamp, Outcome::Succeeded))])
        .await
        .unwrap();
    assert_eq!(db.only_row().await["outcome"], "succeeded");
}
