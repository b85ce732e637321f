//! Each UTC day has a partition, created for the first row of the day.

use std::sync::Arc;

use chrono::{DateTime, TimeZone as _, Utc};
use futures::future;
use sqlx::AssertSqlSafe;
use storage::{LogRow, Outcome, RequestLog as _};

use crate::support::{
    Db, WatchedSink, closing, commit, complete_row, fixed, leave_half_detached, noon, partition_names, stamp_at, start,
};

fn at(moment: DateTime<Utc>) -> LogRow {
    let stamp = stamp_at(moment);
    fixed(&stamp).closed(closing(&stamp, Outcome::Succeeded))
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn rows_of_one_group_are_stored_in_the_partitions_of_their_utc_days() {
    let db = Db::new().await;
    let group = [
        "2026-03-04T12:00:00Z",
        "2026-03-03T23:59:59.999999Z",
        "2026-03-04T00:00:00Z",
        "2026-03-04T23:59:59.999999Z",
        "2026-03-05T00:00:00Z",
    ]
    .map(|moment| at(utc(moment)));

    db.log().write(&group).await.unwrap();

    assert_eq!(
        partition_names(&db).await,
        [
            "request_log_20260303",
            "request_log_20260304",
            "request_log_20260304",
            "request_log_20260304",
            "request_log_20260305"
        ]
    );
}

#[tokio::test]
async fn partitions_are_utc_days_in_every_session_time_zone() {
    let db = Db::new().await;
    let mut far_east = db.connect().await;
    sqlx::raw_sql("SET timezone = 'Pacific/Kiritimati'; SELECT request_log_ensure_partition('2026-03-04')")
        .execute(&mut far_east)
        .await
        .unwrap();
    let moments = [
        "2026-03-03T23:59:59.999999Z",
        "2026-03-04T00:00:00Z",
        "2026-03-04T23:59:59.999999Z",
        "2026-03-05T00:00:00Z",
    ];
    db.log().write(&moments.map(|moment| at(utc(moment)))).await.unwrap();
    assert_eq!(
        partition_names(&db).await,
        [
            "request_log_20260303",
            "request_log_20260304",
            "request_log_20260304",
            "request_log_20260305"
        ]
    );
}

#[tokio::test]
async fn days_far_ahead_or_behind_have_partitions() {
    let db = Db::new().await;
    let years = [1970, 2000, 2999, 9999, 10_000];
    let rows = years.map(|year| at(Utc.with_ymd_and_hms(year, 12, 31, 23, 59, 59).unwrap()));
    db.log().write(&rows).await.unwrap();
    assert_eq!(
        partition_names(&db).await,
        years.map(|year| format!("request_log_{year}1231"))
    );
}

#[tokio::test]
async fn a_dropped_partition_is_created_again_and_the_row_is_complete() {
    let db = Db::new().await;
    let sink = Arc::new(WatchedSink::on(db.log()));
    let (queue, _writer) = start(&sink);
    commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();
    db.run("DROP TABLE request_log_20260304").await;

    let row = complete_row(Outcome::NotFound);
    commit(&queue, row.clone()).await.unwrap();

    let written = db.only_row().await;
    assert_eq!(written["request_uuid"], row.request_uuid().to_string());
    assert_eq!(written["args"]["project_id"], 7, "complete, not reduced");
    assert_eq!(partition_names(&db).await, ["request_log_20260304"]);
}

#[tokio::test]
async fn a_row_for_a_detached_day_attaches_it_again_with_its_rows() {
    for way in ["CONCURRENTLY", ""] {
        let db = Db::new().await;
        let sink = Arc::new(WatchedSink::on(db.log()));
        let (queue, _writer) = start(&sink);
        commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();
        db.run(&format!(
            "ALTER TABLE request_log DETACH PARTITION request_log_20260304 {way}"
        ))
        .await;
        assert!(db.rows().await.is_empty());

        commit(&queue, complete_row(Outcome::Succeeded)).await.unwrap();

        assert_eq!(partition_names(&db).await, ["request_log_20260304"; 2]);
    }
}

#[tokio::test]
async fn a_row_for_a_half_detached_day_attaches_it_again() {
    let db = Db::new().await;
    let log = db.log();
    log.write(&[complete_row(Outcome::Succeeded)]).await.unwrap();
    leave_half_detached(&db, "request_log_20260304").await;
    assert!(db.rows().await.is_empty());

    log.write(&[complete_row(Outcome::Succeeded)]).await.unwrap();

    assert_eq!(partition_names(&db).await, ["request_log_20260304"; 2]);
}

#[tokio::test]
async fn a_table_that_no_longer_fits_is_renamed_and_blocks_no_row() {
    for unfit in [
        "CREATE TABLE request_log_20260304 (something_else int)",
        "CREATE TABLE request_log_20260304 (LIKE request_log INCLUDING ALL); ALTER TABLE request_log_20260304 DROP surface",
        "CREATE TABLE request_log_20260304 (LIKE request_log INCLUDING ALL);
         INSERT INTO request_log_20260304 (request_uuid, surface, request_type, company_id, args, started_at)
         VALUES (gen_random_uuid(), 'rest', 'of another day', 1, '{}', '2026-03-05T12:00:00Z')",
        "CREATE VIEW request_log_20260304 AS SELECT 1",
    ] {
        let db = Db::new().await;
        db.run(unfit).await;
        db.log()
            .write(&[complete_row(Outcome::Succeeded), at(utc("2026-03-05T00:00:00Z"))])
            .await
            .unwrap();
        assert_eq!(
            partition_names(&db).await,
            ["request_log_20260304", "request_log_20260305"],
            "{unfit}"
        );
        let aside = "SELECT count(*) FROM pg_class WHERE relname ~ '^request_log_20260304_aside_[0-9]+$'";
        assert_eq!(db.number(aside).await, 1, "{unfit}");
    }
}

#[tokio::test]
async fn a_day_within_a_partition_of_another_name_gets_no_partition() {
    let db = Db::new().await;
    db.run(
        "CREATE TABLE march PARTITION OF request_log
         FOR VALUES FROM ('2026-03-01T00:00:00Z') TO ('2026-04-01T00:00:00Z')",
    )
    .await;
    db.log().write(&[complete_row(Outcome::Succeeded)]).await.unwrap();
    assert_eq!(partition_names(&db).await, ["march"]);
}

#[tokio::test]
async fn concurrent_processes_create_a_partition_once() {
    let db = Db::new().await;
    // While this session holds the lock, the others find the partition missing and wait for the lock.
    let mut first = db.connect().await;
    sqlx::raw_sql("BEGIN; SELECT pg_advisory_xact_lock(hashtext('request_log_ensure_partition'))")
        .execute(&mut first)
        .await
        .unwrap();
    let logs: Vec<_> = (0..4).map(|_| db.log()).collect();
    let racers = future::join_all(logs.iter().map(async |log| log.write(&[at(noon())]).await));
    let release = async {
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                       WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()";
        db.wait_until(waiting, |sessions| sessions == 4).await;
        sqlx::raw_sql("COMMIT").execute(&mut first).await.unwrap();
    };

    let (results, ()) = future::join(racers, release).await;

    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(partition_names(&db).await, ["request_log_20260304"; 4]);
}

#[tokio::test]
async fn creating_an_existing_partition_changes_nothing() {
    let db = Db::new().await;
    for _ in 0..3 {
        db.run("SELECT request_log_ensure_partition('2026-03-04')").await;
    }
    let sql = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'request_log'::regclass";
    assert_eq!(db.number(sql).await, 1);
}

#[tokio::test]
async fn a_partition_has_the_checks_and_indexes_of_the_table() {
    let db = Db::new().await;
    db.run("SELECT request_log_ensure_partition('2026-03-04')").await;
    let count = async |table: &str, catalogue: &str, column: &str| {
        let sql = AssertSqlSafe(format!(
            "SELECT count(*) FROM {catalogue} WHERE {column} = '{table}'::regclass"
        ));
        let count: i64 = sqlx::query_scalar(sql).fetch_one(db.test.pool()).await.unwrap();
        count
    };
    for (catalogue, column) in [("pg_constraint", "conrelid"), ("pg_index", "indrelid")] {
        let of_table = count("request_log", catalogue, column).await;
        assert!(of_table > 0);
        assert_eq!(
            count("request_log_20260304", catalogue, column).await,
            of_table,
            "{catalogue}"
        );
    }
}
