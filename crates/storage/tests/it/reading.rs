//! Reading the log: pages that stay right, filters, who sees what, and that no search looks further than it must.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::{AccountId, ApiKeyId, CompanyId, Face, FixedClock, JobId, RequestStamp, RequestType, RunId};
use serde_json::json;
use storage::{
    Closing, FixedPart, LogFilter, LogPage, LogPosition, LogReadSettings, LogRow, LogSight, Outcome, OutcomeFilter,
    PageLimit, Percentiles, RequestLog as _, RequestLogs, RowLimits, StorageError,
};
use uuid::Uuid;

use crate::support::{Db, PATIENCE, noon, stamp_at};

const COMPANY: CompanyId = CompanyId(1);
const KEY: ApiKeyId = ApiKeyId(5);

/// Far beyond every page here.
const WIDE: usize = 1 << 30;

fn reader(db: &Db) -> RequestLogs {
    reader_with(db, PATIENCE)
}

fn reader_with(db: &Db, statement_timeout: Duration) -> RequestLogs {
    let settings = LogReadSettings {
        connections: 2,
        acquire_timeout: PATIENCE,
        statement_timeout,
    };
    RequestLogs::new(&db.database, &settings)
}

/// A succeeded `get_run` of company 1 at noon, changed.
fn row(change: impl FnOnce(&mut Plan)) -> LogRow {
    let mut plan = Plan::default();
    change(&mut plan);
    plan.row()
}

struct Plan {
    at: DateTime<Utc>,
    face: Face,
    company: CompanyId,
    request_type: RequestType,
    outcome: Option<Outcome>,
    status_code: Option<u16>,
    key: Option<ApiKeyId>,
    account: Option<AccountId>,
    job: Option<JobId>,
    run: Option<RunId>,
    args: serde_json::Value,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            at: noon(),
            face: Face::Rest,
            company: COMPANY,
            request_type: RequestType::GetRun,
            outcome: Some(Outcome::Succeeded),
            status_code: None,
            key: Some(KEY),
            account: None,
            job: None,
            run: None,
            args: json!({}),
        }
    }
}

impl Plan {
    fn row(self) -> LogRow {
        let stamp = RequestStamp::now(&FixedClock::at(self.at), self.face, None);
        let limits = RowLimits {
            json_max_bytes: 1 << 20,
            ..RowLimits::default()
        };
        let mut fixed = FixedPart::new(&stamp, self.request_type, self.company, &self.args, &limits);
        fixed.api_key_id = self.key;
        fixed.account_id = self.account;
        fixed.job_id = self.job;
        fixed.run_id = self.run;
        let Some(outcome) = self.outcome else {
            return Arc::new(fixed).open();
        };
        let mut closing = Closing::new(outcome, &stamp, self.at, None, &limits);
        closing.status_code = self.status_code;
        closing.attempts = i32::from(self.status_code.is_some());
        fixed.closed(closing)
    }
}

fn uuids(page: &LogPage) -> Vec<Uuid> {
    page.records.iter().map(|record| record.request_uuid).collect()
}

async fn page(logs: &RequestLogs, after: Option<LogPosition>, rows: u32) -> LogPage {
    let limit = PageLimit { rows, bytes: WIDE };
    logs.page(COMPANY, &LogSight::All, &LogFilter::default(), after, limit)
        .await
        .unwrap()
}

/// The UUIDs of all that comes, newest first.
async fn search(logs: &RequestLogs, company: CompanyId, sight: &LogSight, filter: &LogFilter) -> Vec<Uuid> {
    let limit = PageLimit {
        rows: 1000,
        bytes: WIDE,
    };
    uuids(&logs.page(company, sight, filter, None, limit).await.unwrap())
}

fn asking(change: impl FnOnce(&mut LogFilter)) -> LogFilter {
    let mut filter = LogFilter::default();
    change(&mut filter);
    filter
}

#[tokio::test]
async fn pages_of_every_size_give_every_row_once_the_newest_first() {
    let db = Db::new().await;
    let second = TimeDelta::seconds(1);
    // Three days, and many rows of the same microsecond.
    let moments = [
        noon(),
        noon() - TimeDelta::days(1),
        noon() + TimeDelta::days(1),
        noon() + second,
    ];
    let rows: Vec<_> = (0..24).map(|n| row(|plan| plan.at = moments[n % 4])).collect();
    db.log().write(&rows).await.unwrap();
    let mut expected: Vec<_> = rows
        .iter()
        .map(|row| (row.fixed().started_at(), row.request_uuid()))
        .collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let expected: Vec<_> = expected.into_iter().map(|(_, uuid)| uuid).collect();

    let logs = reader(&db);
    for size in [1, 5, 6, 23, 24, 25] {
        let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = page(&logs, after, size).await;
            found.extend(uuids(&page));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "pages of {size}");
        assert_eq!(pages, 24_u32.div_ceil(size), "and no empty one at the end");
    }
}

#[tokio::test]
async fn rows_that_arrive_between_two_pages_neither_repeat_nor_push_out_one() {
    let db = Db::new().await;
    let at = |second: i64| row(|plan| plan.at = noon() + TimeDelta::seconds(second));
    let there: Vec<_> = (0..10).map(|n| at(n * 10)).collect();
    db.log().write(&there).await.unwrap();
    let logs = reader(&db);
    let first = page(&logs, None, 4).await;

    // One newer than all, one that belongs on the page that was given, one on the page to come.
    let (newer, too_late, in_time) = (at(1000), at(85), at(15));
    db.log()
        .write(&[newer.clone(), too_late.clone(), in_time.clone()])
        .await
        .unwrap();
    let second = page(&logs, first.next, 100).await;

    let mut found = uuids(&first);
    found.extend(uuids(&second));
    let distinct: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(distinct.len(), found.len(), "none comes twice");
    assert!(
        there.iter().all(|row| distinct.contains(&row.request_uuid())),
        "none is missing"
    );
    assert!(distinct.contains(&in_time.request_uuid()));
    assert!(!distinct.contains(&newer.request_uuid()) && !distinct.contains(&too_late.request_uuid()));
}

#[tokio::test]
async fn a_page_ends_early_where_its_rows_are_large_and_the_next_one_goes_on() {
    let db = Db::new().await;
    let large = json!({"text": "x".repeat(100_000)});
    let rows: Vec<_> = (0..10).map(|_| row(|plan| plan.args = large.clone())).collect();
    db.log().write(&rows).await.unwrap();
    let logs = reader(&db);
    let limit = PageLimit {
        rows: 100,
        bytes: 250_000,
    };
    let (mut sizes, mut after) = (Vec::new(), None);
    loop {
        let filter = LogFilter::default();
        let page = logs.page(COMPANY, &LogSight::All, &filter, after, limit).await.unwrap();
        sizes.push(page.records.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
}

#[tokio::test]
async fn each_filter_lets_through_its_rows_and_no_others() {
    let db = Db::new().await;
    let plain = row(|_| {});
    let other_day = row(|plan| plan.at = noon() - TimeDelta::days(40));
    let internal = row(|plan| plan.face = Face::Internal);
    let trigger = row(|plan| {
        plan.request_type = RequestType::TriggerJob;
        plan.job = Some(JobId(3));
        plan.run = Some(RunId(33));
    });
    let failed = row(|plan| {
        plan.outcome = Some(Outcome::NotFound);
        plan.status_code = Some(404);
    });
    let open = row(|plan| plan.outcome = None);
    let of_another_key = row(|plan| plan.key = Some(ApiKeyId(6)));
    let of_an_account = row(|plan| plan.account = Some(AccountId(10)));
    let all = [
        &plain,
        &other_day,
        &internal,
        &trigger,
        &failed,
        &open,
        &of_another_key,
        &of_an_account,
    ];
    db.log().write(&all.map(Clone::clone)).await.unwrap();
    let logs = reader(&db);

    let ended = |outcome| Some(OutcomeFilter::Ended(outcome));
    let just_after = noon() + TimeDelta::microseconds(1);
    let cases: [(&str, LogFilter, Vec<&LogRow>); 14] = [
        ("nothing", asking(|_| {}), all.to_vec()),
        ("to", asking(|it| it.to = Some(noon())), vec![&other_day]),
        ("from", asking(|it| it.from = Some(just_after)), vec![]),
        ("face", asking(|it| it.face = Some(Face::Internal)), vec![&internal]),
        (
            "type",
            asking(|it| it.request_type = Some(RequestType::TriggerJob)),
            vec![&trigger],
        ),
        (
            "outcome",
            asking(|it| it.outcome = ended(Outcome::NotFound)),
            vec![&failed],
        ),
        ("another", asking(|it| it.outcome = ended(Outcome::Timeout)), vec![]),
        ("open", asking(|it| it.outcome = Some(OutcomeFilter::Open)), vec![&open]),
        ("status", asking(|it| it.status_code = Some(404)), vec![&failed]),
        (
            "key",
            asking(|it| it.api_key_id = Some(ApiKeyId(6))),
            vec![&of_another_key],
        ),
        (
            "account",
            asking(|it| it.account_id = Some(AccountId(10))),
            vec![&of_an_account],
        ),
        ("job", asking(|it| it.job_id = Some(JobId(3))), vec![&trigger]),
        ("run", asking(|it| it.run_id = Some(RunId(33))), vec![&trigger]),
        (
            "both",
            asking(|it| (it.run_id, it.job_id) = (Some(RunId(33)), Some(JobId(4)))),
            vec![],
        ),
    ];
    for (name, filter, expected) in cases {
        let found = search(&logs, COMPANY, &LogSight::All, &filter).await;
        let found: BTreeSet<_> = found.into_iter().collect();
        let expected: BTreeSet<_> = expected.iter().map(|row| row.request_uuid()).collect();
        assert_eq!(found, expected, "{name}");
    }
    let succeeded = asking(|it| it.outcome = ended(Outcome::Succeeded));
    let found = search(&logs, COMPANY, &LogSight::All, &succeeded).await;
    assert_eq!(found.len(), all.len() - 2);
}

#[tokio::test]
async fn a_row_is_read_as_it_was_written() {
    let db = Db::new().await;
    let written = row(|plan| {
        plan.at = "2026-03-04T12:00:00.123456Z".parse().unwrap();
        plan.run = Some(RunId(33));
        plan.args = json!({"order": {"cause": "ü \"quoted\"\n"}});
        plan.outcome = Some(Outcome::NotFound);
        plan.status_code = Some(404);
    });
    let open = row(|plan| plan.outcome = None);
    db.log().write(&[written.clone(), open.clone()]).await.unwrap();
    let logs = reader(&db);
    let read = logs
        .get(COMPANY, &LogSight::All, written.request_uuid())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        read.position(),
        LogPosition {
            started_at: "2026-03-04T12:00:00.123456Z".parse().unwrap(),
            request_uuid: written.request_uuid()
        }
    );
    assert_eq!((read.request_type.as_str(), read.face.as_str()), ("get_run", "rest"));
    assert_eq!(
        (read.outcome.as_deref(), read.status_code, read.attempts),
        (Some("not_found"), Some(404), 1)
    );
    assert_eq!(
        (read.run_id, read.job_id, read.api_key_id),
        (Some(RunId(33)), None, Some(KEY))
    );
    let args: serde_json::Value = serde_json::from_str(read.args.get()).unwrap();
    assert_eq!(args, json!({"order": {"cause": "ü \"quoted\"\n"}}));
    assert!(!read.args.get().contains('\n'), "one row is one line");

    let read = logs
        .get(COMPANY, &LogSight::All, open.request_uuid())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((read.outcome, read.finished_at, read.duration_ms), (None, None, None));
}

#[tokio::test]
async fn another_companys_rows_do_not_exist() {
    let db = Db::new().await;
    let (ours, theirs) = (row(|_| {}), row(|plan| plan.company = CompanyId(2)));
    db.log().write(&[ours.clone(), theirs.clone()]).await.unwrap();
    let logs = reader(&db);
    for (company, own, foreign) in [(COMPANY, &ours, &theirs), (CompanyId(2), &theirs, &ours)] {
        for sight in [
            LogSight::All,
            LogSight::Own(KEY),
            LogSight::OwnAndAccounts(KEY, Vec::new()),
        ] {
            assert_eq!(
                search(&logs, company, &sight, &LogFilter::default()).await,
                [own.request_uuid()]
            );
            assert!(logs.get(company, &sight, own.request_uuid()).await.unwrap().is_some());
            assert!(
                logs.get(company, &sight, foreign.request_uuid())
                    .await
                    .unwrap()
                    .is_none()
            );
        }
    }
    assert!(
        search(&logs, CompanyId(3), &LogSight::All, &LogFilter::default())
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_caller_sees_what_its_sight_allows_in_lists_and_by_name() {
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
    let cases: [(LogSight, &[&LogRow]); 3] = [
        (LogSight::All, &all),
        (LogSight::Own(KEY), &[&own]),
        (LogSight::OwnAndAccounts(KEY, accounts), &[&own, &listed]),
    ];
    for (sight, expected) in cases {
        let found: BTreeSet<_> = search(&logs, COMPANY, &sight, &LogFilter::default())
            .await
            .into_iter()
            .collect();
        let expected: BTreeSet<_> = expected.iter().map(|row| row.request_uuid()).collect();
        assert_eq!(found, expected, "{sight:?}");
        for row in all {
            let by_name = logs.get(COMPANY, &sight, row.request_uuid()).await.unwrap();
            assert_eq!(by_name.is_some(), expected.contains(&row.request_uuid()), "{sight:?}");
        }
    }
}

#[tokio::test]
async fn searches_leave_out_the_days_that_they_need_not_look_at() {
    let db = Db::new().await;
    let today = row(|_| {});
    let yesterday = row(|plan| plan.at = noon() - TimeDelta::days(1));
    db.log().write(&[today.clone(), yesterday.clone()]).await.unwrap();
    // Whoever looks at the day before now waits for ever.
    let mut lock = db.test.pool().begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE request_log_20260303 IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let logs = reader_with(&db, Duration::from_millis(300));

    let found = logs.get(COMPANY, &LogSight::All, today.request_uuid()).await.unwrap();
    assert!(found.is_some(), "by name");
    let midnight = "2026-03-04T00:00:00Z".parse().unwrap();
    let since_midnight = LogFilter {
        from: Some(midnight),
        ..LogFilter::default()
    };
    assert_eq!(
        search(&logs, COMPANY, &LogSight::All, &since_midnight).await,
        [today.request_uuid()]
    );

    let everything = PageLimit { rows: 10, bytes: WIDE };
    let all = logs
        .page(COMPANY, &LogSight::All, &LogFilter::default(), None, everything)
        .await;
    assert!(matches!(all, Err(StorageError::TooSlow(_))), "{all:?}");
    lock.rollback().await.unwrap();

    // And a page that begins before today leaves out today.
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
async fn a_summary_counts_outcomes_and_tells_the_durations_of_what_ended() {
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
    // 1, 2, 3, … 100 ms, in no order.
    db.run(
        "INSERT INTO request_log (request_uuid, face, request_type, company_id, api_key_id, args, outcome, started_at,
             finished_at, duration_ms)
         SELECT gen_random_uuid(), 'rest', 'list_projects', 1, 5, '{}', 'succeeded', '2026-03-04T12:00:00Z', now(),
             1 + n * 37 % 100
         FROM generate_series(1, 100) n",
    )
    .await;
    let logs = reader(&db);
    let hour = asking(|it| it.from = Some(noon() - TimeDelta::hours(1)));

    let types = logs.summary(COMPANY, &LogSight::Own(KEY), &hour).await.unwrap();

    let told: Vec<_> = types
        .iter()
        .map(|of_type| (of_type.request_type.as_str(), of_type.count, json!(of_type.outcomes)))
        .collect();
    let expected = [
        ("list_projects", 100, json!({"succeeded": 100})),
        ("get_run", 4, json!({"succeeded": 2, "not_found": 1, "open": 1})),
        ("trigger_job", 1, json!({"open": 1})),
    ];
    assert_eq!(told, expected);
    let (p50, p90, p95, p99) = (50.0, 90.0, 95.0, 99.0);
    assert_eq!(types[0].durations, Some(Percentiles { p50, p90, p95, p99 }));
    assert_eq!(types[2].durations, None, "nothing has ended");
    let everybody = logs.summary(COMPANY, &LogSight::All, &hour).await.unwrap();
    assert_eq!(everybody[1].count, 5);
    assert!(
        logs.summary(CompanyId(3), &LogSight::All, &hour)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_uuid_that_tells_no_time_is_no_rows_name() {
    let db = Db::new().await;
    let odd = stamp_at(noon()).request_uuid();
    let mut bytes = odd.into_bytes();
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    let logs = reader(&db);
    for uuid in [Uuid::nil(), Uuid::max(), Uuid::from_bytes(bytes), odd] {
        assert!(
            logs.get(COMPANY, &LogSight::All, uuid).await.unwrap().is_none(),
            "{uuid}"
        );
    }
}

#[tokio::test]
async fn readers_have_connections_of_their_own_which_close() {
    let db = Db::new().await;
    let logs = reader(&db);
    page(&logs, None, 1).await;
    let readers = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'dbt-gateway log reader'";
    assert_eq!(db.number(readers).await, 1);
    logs.close().await;
    // Postgres forgets a connection a moment after it was closed.
    let gone = async {
        while db.number(readers).await != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let patience = std::time::Duration::from_mins(1);
    assert!(
        tokio::time::timeout(patience, gone).await.is_ok(),
        "a reader is still connected"
    );
}
