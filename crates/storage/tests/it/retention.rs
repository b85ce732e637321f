//! Partitions are created ahead and dropped after the retention period, while the log is read and written.

use chrono::{Days, NaiveDate, TimeDelta, Utc};
use futures::future;
use sqlx::Connection as _;
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
        partitions.drop_expired(today(), 30).await.unwrap(),
        [name(days_ago(100)), name(days_ago(31))]
    );
    assert_eq!(partition_names(&db).await, [30, 29, 0].map(|days| name(days_ago(days))));
    assert!(partitions.drop_expired(today(), 30).await.unwrap().is_empty());
    assert_eq!(tables(&db).await.len(), 3 + 2, "and the two days ahead");
}

#[tokio::test]
async fn one_clock_that_is_ahead_drops_nothing() {
    let (db, partitions) = log_of([29, 0].map(days_ago)).await;
    let wrong = today() + Days::new(1000);
    assert!(partitions.drop_expired(wrong, 30).await.unwrap().is_empty());
    assert_eq!(partition_names(&db).await.len(), 2);
    // A clock that is behind keeps more days.
    let (_db, partitions) = log_of([31, 0].map(days_ago)).await;
    assert!(partitions.drop_expired(days_ago(10), 30).await.unwrap().is_empty());
}

#[tokio::test]
async fn dropping_a_day_blocks_neither_readers_nor_writers() {
    let (db, partitions) = log_of([40, 0].map(days_ago)).await;
    let mut long_reader = db.connect().await;
    let mut reading = long_reader.begin().await.unwrap();
    let count = "SELECT count(*) FROM request_log";
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *reading).await.unwrap();
    assert_eq!(seen, 2);

    let dropping = tokio::spawn(async move { partitions.drop_expired(today(), 30).await });
    db.blocked("ALTER TABLE request_log DETACH").await;
    // It waits for the long reader, but blocks neither other readers nor writers, also of a day without a partition.
    let tomorrow = today() + Days::new(1);
    let written = tokio::time::timeout(TIMEOUT, async {
        db.log().write(&[row_of(today()), row_of(tomorrow)]).await
    });
    written.await.unwrap().unwrap();
    assert_eq!(db.number(count).await, 3, "new readers do not see the expired day");
    let of_old_day = format!("SELECT count(*) FROM {}", name(days_ago(40)));
    let still: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(of_old_day))
        .fetch_one(&mut *reading)
        .await
        .unwrap();
    assert_eq!(still, 1, "the long reader still sees it");
    assert!(!dropping.is_finished());

    reading.rollback().await.unwrap();
    let dropped = tokio::time::timeout(TIMEOUT, dropping).await.unwrap().unwrap().unwrap();
    assert_eq!(dropped, [name(days_ago(40))]);
    assert_eq!(partition_names(&db).await.len(), 3);
}

#[tokio::test]
async fn a_day_that_is_read_too_long_is_dropped_by_a_later_run() {
    let (db, partitions) = log_of([40, 0].map(days_ago)).await;
    let short_timeout = Partitions::new(&db.database, std::time::Duration::from_millis(200));
    let mut long_reader = db.connect().await;
    let mut reading = long_reader.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM request_log")
        .execute(&mut *reading)
        .await
        .unwrap();

    for _ in 0..2 {
        assert!(short_timeout.drop_expired(today(), 30).await.is_err());
    }
    reading.rollback().await.unwrap();
    assert_eq!(
        partitions.drop_expired(today(), 30).await.unwrap(),
        [name(days_ago(40))]
    );
    assert_eq!(tables(&db).await, [name(today())]);
}

#[tokio::test]
async fn the_unfinished_drops_of_dead_processes_are_finished() {
    let (db, partitions) = log_of([42, 41, 40, 0].map(days_ago)).await;
    // One process died between detaching and dropping, another one while detaching. An operator detached a third day.
    let (old, kept) = (name(days_ago(41)), name(days_ago(40)));
    db.run(&format!(
        "COMMENT ON TABLE {old} IS 'dbt-gateway: expired, to be dropped'"
    ))
    .await;
    for partition in [&old, &kept] {
        db.run(&format!("ALTER TABLE request_log DETACH PARTITION {partition}"))
            .await;
    }
    leave_half_detached(&db, &name(days_ago(42))).await;

    assert_eq!(
        partitions.drop_expired(today(), 30).await.unwrap(),
        [name(days_ago(42)), old]
    );
    assert_eq!(
        tables(&db).await,
        [kept, name(today())],
        "a day that an operator detached is kept"
    );
}

#[tokio::test]
async fn a_reattached_day_that_an_operator_detaches_is_kept() {
    let (db, partitions) = log_of([40, 0].map(days_ago)).await;
    let old = name(days_ago(40));
    db.run(&format!(
        "COMMENT ON TABLE {old} IS 'dbt-gateway: expired, to be dropped'"
    ))
    .await;
    db.run(&format!("ALTER TABLE request_log DETACH PARTITION {old}")).await;
    db.log().write(&[row_of(days_ago(40))]).await.unwrap();
    assert_eq!(
        partition_names(&db).await.len(),
        3,
        "a row of that day attached it again"
    );
    db.run(&format!("ALTER TABLE request_log DETACH PARTITION {old}")).await;
    assert!(partitions.drop_expired(today(), 30).await.unwrap().is_empty());
    assert_eq!(tables(&db).await, [old, name(today())]);
}

#[tokio::test]
async fn concurrent_processes_drop_each_day_once() {
    let (db, partitions) = log_of((0..8).map(|days| days_ago(40 + days)).chain([today()])).await;
    let racers = (0..4).map(|_| partitions.drop_expired(today(), 30));
    let results = future::join_all(racers).await;
    let dropped: usize = results.into_iter().map(|result| result.unwrap().len()).sum();
    assert_eq!(dropped, 8);
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
