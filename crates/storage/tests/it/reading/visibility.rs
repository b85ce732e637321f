//! Visibility, time limits, summaries, and connections of readers.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use model::{AccountId, ApiKeyId, CompanyId, RequestType};
use serde_json::json;
use storage::{
    LogFilter, LogPosition, LogRow, LogVisibility, Outcome, PageLimit, Percentiles, RequestLog as _, StorageError,
};
use uuid::Uuid;

use super::{COMPANY, KEY, NO_BYTE_LIMIT, filter_with, page, reader, reader_with, row, search, uuids};
use crate::support::{Db, noon, stamp_at};

#[tokio::test]
async fn rows_of_another_company_are_not_found() {
    let db = Db::new().await;
    let (ours, theirs) = (row(|_| {}), row(|plan| plan.company = CompanyId(2)));
    db.log().write(&[ours.clone(), theirs.clone()]).await.unwrap();
    let logs = reader(&db);
    for (company, own, foreign) in [(COMPANY, &ours, &theirs), (CompanyId(2), &theirs, &ours)] {
        for visibility in [
            LogVisibility::All,
            LogVisibility::Own(KEY),
            LogVisibility::OwnAndAccounts(KEY, Vec::new()),
        ] {
            assert_eq!(
                search(&logs, company, &visibility, &LogFilter::default()).await,
                [own.request_uuid()]
            );
            assert!(
                logs.get(company, &visibility, own.request_uuid())
                    .await
                    .unwrap()
                    .is_some()
            );
            assert!(
                logs.get(company, &visibility, foreign.request_uuid())
                    .await
                    .unwrap()
                    .is_none()
            );
        }
    }
    assert!(
        search(&logs, CompanyId(3), &LogVisibility::All, &LogFilter::default())
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn lists_and_look_ups_respect_the_callers_visibility() {
    let db = Db::new().await;
    let of = |key: Option<i64>, account: i64| {
        row(|plan| {
            plan.key = key.map(ApiKeyId);
            plan.account = Some(AccountId(account));
        })
    };
    let (own, listed, others, command) = (of(Some(5), 99), of(Some(6), 10), of(Some(6), 11), of(None, 11));
    let all = [&own, &listed, &others, &command];
    db.log().write(&all.map(Clone::clone)).await.unwrap();
    let logs = reader(&db);
    let accounts = vec![AccountId(10), AccountId(12)];
    let cases: [(LogVisibility, &[&LogRow]); 3] = [
        (LogVisibility::All, &all),
        (LogVisibility::Own(KEY), &[&own]),
        (LogVisibility::OwnAndAccounts(KEY, accounts), &[&own, &listed]),
    ];
    for (visibility, expected) in cases {
        let found: BTreeSet<_> = search(&logs, COMPANY, &visibility, &LogFilter::default())
            .await
            .into_iter()
            .collect();
        let expected: BTreeSet<_> = expected.iter().map(|row| row.request_uuid()).collect();
        assert_eq!(found, expected, "{visibility:?}");
        for row in all {
            let by_name = logs.get(COMPANY, &visibility, row.request_uuid()).await.unwrap();
            assert_eq!(
                by_name.is_some(),
                expected.contains(&row.request_uuid()),
                "{visibility:?}"
            );
        }
    }
}

#[tokio::test]
async fn searches_skip_partitions_outside_the_time_range() {
    let db = Db::new().await;
    let today = row(|_| {});
    let yesterday = row(|plan| plan.at = noon() - TimeDelta::days(1));
    db.log().write(&[today.clone(), yesterday.clone()]).await.unwrap();
    // A search that reads the day before waits for the lock.
    let mut lock = db.test.pool().begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE request_log_20260303 IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let logs = reader(&db);

    let found = logs
        .get(COMPANY, &LogVisibility::All, today.request_uuid())
        .await
        .unwrap();
    assert!(found.is_some(), "by UUID");
    let midnight = "2026-03-04T00:00:00Z".parse().unwrap();
    let since_midnight = LogFilter {
        from: Some(midnight),
        ..LogFilter::default()
    };
    assert_eq!(
        search(&logs, COMPANY, &LogVisibility::All, &since_midnight).await,
        [today.request_uuid()]
    );

    let everything = PageLimit {
        rows: 10,
        bytes: NO_BYTE_LIMIT,
    };
    let all = reader_with(&db, Duration::from_millis(100))
        .page(COMPANY, &LogVisibility::All, &LogFilter::default(), None, everything)
        .await;
    assert!(matches!(all, Err(StorageError::TooSlow(_))), "{all:?}");
    lock.rollback().await.unwrap();

    // A page that starts before today skips today.
    let mut lock = db.test.pool().begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE request_log_20260304 IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let after = LogPosition {
        started_at: midnight - TimeDelta::microseconds(1),
        request_uuid: Uuid::max(),
    };
    let earlier = page(&logs, Some(after), 10).await;
    assert_eq!(uuids(&earlier), [yesterday.request_uuid()]);
}

#[tokio::test]
async fn a_summary_has_counts_by_outcome_and_percentiles_of_ended_requests() {
    let db = Db::new().await;
    let mut rows = Vec::new();
    for outcome in [Outcome::Succeeded, Outcome::Succeeded, Outcome::NotFound] {
        rows.push(row(|plan| plan.outcome = Some(outcome)));
    }
    rows.push(row(|plan| plan.outcome = None));
    rows.push(row(|plan| {
        plan.request_type = RequestType::TriggerJob;
        plan.outcome = None;
    }));
    rows.push(row(|plan| plan.company = CompanyId(2)));
    rows.push(row(|plan| plan.key = Some(ApiKeyId(6))));
    rows.push(row(|plan| plan.at = noon() - TimeDelta::hours(2)));
    db.log().write(&rows).await.unwrap();
    // 1 to 100 ms, unordered.
    db.run(
        "INSERT INTO request_log (request_uuid, surface, request_type, company_id, api_key_id, args, outcome, started_at,
             finished_at, duration_ms)
         SELECT gen_random_uuid(), 'rest', 'list_projects', 1, 5, '{}', 'succeeded', '2026-03-04T12:00:00Z', now(),
             1 + n * 37 % 100
         FROM generate_series(1, 100) n",
    )
    .await;
    let logs = reader(&db);
    let hour = filter_with(|it| it.from = Some(noon() - TimeDelta::hours(1)));

    let types = logs.summary(COMPANY, &LogVisibility::Own(KEY), &hour).await.unwrap();

    let counts: Vec<_> = types
        .iter()
        .map(|of_type| (of_type.request_type.as_str(), of_type.count, json!(of_type.outcomes)))
        .collect();
    let expected = [
        ("list_projects", 100, json!({"succeeded": 100})),
        ("get_run", 4, json!({"succeeded": 2, "not_found": 1, "open": 1})),
        ("trigger_job", 1, json!({"open": 1})),
    ];
    assert_eq!(counts, expected);
    let (p50, p90, p95, p99) = (50.0, 90.0, 95.0, 99.0);
    assert_eq!(types[0].durations, Some(Percentiles { p50, p90, p95, p99 }));
    assert_eq!(types[2].durations, None, "no request has ended");
    let all_keys = logs.summary(COMPANY, &LogVisibility::All, &hour).await.unwrap();
    assert_eq!(all_keys[1].count, 5);
    assert!(
        logs.summary(CompanyId(3), &LogVisibility::All, &hour)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_uuid_without_a_timestamp_finds_no_row() {
    let db = Db::new().await;
    let odd = stamp_at(noon()).request_uuid();
    let mut bytes = odd.into_bytes();
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    let logs = reader(&db);
    for uuid in [Uuid::nil(), Uuid::max(), Uuid::from_bytes(bytes), odd] {
        assert!(
            logs.get(COMPANY, &LogVisibility::All, uuid).await.unwrap().is_none(),
            "{uuid}"
        );
    }
}

#[tokio::test]
async fn readers_use_separate_connections_which_can_be_closed() {
    let db = Db::new().await;
    let logs = reader(&db);
    page(&logs, None, 1).await;
    let readers = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'dbt-gateway log reader'";
    assert_eq!(db.number(readers).await, 1);
    logs.close().await;
    db.wait_until(readers, |connections| connections == 0).await;
}
