//! Pages, filters, and single rows.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use model::{AccountId, ApiKeyId, JobId, RequestType, RunId, Surface};
use serde_json::json;
use storage::{LogFilter, LogPosition, LogRow, LogVisibility, Outcome, OutcomeFilter, PageLimit, RequestLog as _};

use super::{COMPANY, KEY, filter_with, page, reader, row, search, uuids};
use crate::support::{Db, noon};

#[tokio::test]
async fn pages_of_every_size_return_each_row_once_newest_first() {
    let db = Db::new().await;
    let second = TimeDelta::seconds(1);
    // Three days, with many rows per microsecond.
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
        assert_eq!(pages, 24_u32.div_ceil(size), "no empty page at the end");
    }
}

#[tokio::test]
async fn rows_that_arrive_between_two_pages_neither_repeat_nor_hide_a_row() {
    let db = Db::new().await;
    let at = |second: i64| row(|plan| plan.at = noon() + TimeDelta::seconds(second));
    let there: Vec<_> = (0..10).map(|n| at(n * 10)).collect();
    db.log().write(&there).await.unwrap();
    let logs = reader(&db);
    let first = page(&logs, None, 4).await;

    // One newer than all, one that belongs on the first page, one on the second.
    let (newer, too_late, in_time) = (at(1000), at(85), at(15));
    db.log()
        .write(&[newer.clone(), too_late.clone(), in_time.clone()])
        .await
        .unwrap();
    let second = page(&logs, first.next, 100).await;

    let mut found = uuids(&first);
    found.extend(uuids(&second));
    let distinct: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(distinct.len(), found.len(), "no row is repeated");
    assert!(
        there.iter().all(|row| distinct.contains(&row.request_uuid())),
        "no row is missing"
    );
    assert!(distinct.contains(&in_time.request_uuid()));
    assert!(!distinct.contains(&newer.request_uuid()) && !distinct.contains(&too_late.request_uuid()));
}

#[tokio::test]
async fn a_page_of_large_rows_ends_early_and_the_next_one_continues() {
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
        let page = logs
            .page(COMPANY, &LogVisibility::All, &filter, after, limit)
            .await
            .unwrap();
        sizes.push(page.records.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
}

#[tokio::test]
async fn each_filter_returns_exactly_its_rows() {
    let db = Db::new().await;
    let plain = row(|_| {});
    let other_day = row(|plan| plan.at = noon() - TimeDelta::days(40));
    let internal = row(|plan| plan.surface = Surface::Internal);
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
        ("nothing", filter_with(|_| {}), all.to_vec()),
        ("to", filter_with(|it| it.to = Some(noon())), vec![&other_day]),
        ("from", filter_with(|it| it.from = Some(just_after)), vec![]),
        (
            "surface",
            filter_with(|it| it.surface = Some(Surface::Internal)),
            vec![&internal],
        ),
        (
            "type",
            filter_with(|it| it.request_type = Some(RequestType::TriggerJob)),
            vec![&trigger],
        ),
        (
            "outcome",
            filter_with(|it| it.outcome = ended(Outcome::NotFound)),
            vec![&failed],
        ),
        (
            "another",
            filter_with(|it| it.outcome = ended(Outcome::Timeout)),
            vec![],
        ),
        (
            "open",
            filter_with(|it| it.outcome = Some(OutcomeFilter::Open)),
            vec![&open],
        ),
        ("status", filter_with(|it| it.status_code = Some(404)), vec![&failed]),
        (
            "key",
            filter_with(|it| it.api_key_id = Some(ApiKeyId(6))),
            vec![&of_another_key],
        ),
        (
            "account",
            filter_with(|it| it.account_id = Some(AccountId(10))),
            vec![&of_an_account],
        ),
        ("job", filter_with(|it| it.job_id = Some(JobId(3))), vec![&trigger]),
        ("run", filter_with(|it| it.run_id = Some(RunId(33))), vec![&trigger]),
        (
            "both",
            filter_with(|it| (it.run_id, it.job_id) = (Some(RunId(33)), Some(JobId(4)))),
            vec![],
        ),
    ];
    for (name, filter, expected) in cases {
        let found = search(&logs, COMPANY, &LogVisibility::All, &filter).await;
        let found: BTreeSet<_> = found.into_iter().collect();
        let expected: BTreeSet<_> = expected.iter().map(|row| row.request_uuid()).collect();
        assert_eq!(found, expected, "{name}");
    }
    let succeeded = filter_with(|it| it.outcome = ended(Outcome::Succeeded));
    let found = search(&logs, COMPANY, &LogVisibility::All, &succeeded).await;
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
        .get(COMPANY, &LogVisibility::All, written.request_uuid())
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
    assert_eq!((read.request_type.as_str(), read.surface.as_str()), ("get_run", "rest"));
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
        .get(COMPANY, &LogVisibility::All, open.request_uuid())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((read.outcome, read.finished_at, read.duration_ms), (None, None, None));
}
