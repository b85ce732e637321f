//! A caller that hangs up: its read stops, its change goes on.

use std::time::Duration;

use futures::FutureExt as _;
use model::{JobId, PageQuery, ProjectFilter, ProjectId, RequestType};
use provider::Outcome;
use serde_json::json;

use crate::support::{Bench, Mood, Reply, exchanges, order, whys};

/// Drops `request` as soon as `moment` has come.
async fn hangs_up_at<T>(request: impl Future<Output = T>, moment: impl Future<Output = ()>) {
    tokio::select! {
        _ = request => panic!("the request ended before its caller went away"),
        () = moment => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_caller_has_gone_is_logged_so() {
    let bench = Bench::with(|_, _| Reply::Never);
    let request = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7));

    hangs_up_at(request, bench.dbt.asked(1)).await;

    let row = bench.log.closed_row().await;
    let closing = row.closing().unwrap();
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert_eq!(
        (closing.attempts, closing.status_code, closing.error()),
        (1, None, None)
    );
    assert!(
        exchanges(&row)[0]["duration_ms"].is_null(),
        "the exchange under way has no end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_gathering_read_whose_caller_has_gone_makes_no_further_exchange() {
    // Each page takes a second, three at a time: the caller leaves when the second three are under way.
    let bench = Bench::with(|_, request| {
        let offset = i64::try_from(crate::support::slice(request).0).unwrap();
        Reply::page(offset..offset + 100, Some(1000)).after(Duration::from_secs(1))
    });
    let everything = PageQuery::new(1, 1000).unwrap();
    let ctx = bench.ctx(RequestType::ListProjects);
    let request = bench.provider.list_projects(ctx, ProjectFilter::default(), everything);

    hangs_up_at(request, bench.dbt.asked(5)).await;

    let row = bench.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    let asked = bench.dbt.count();
    assert_eq!(usize::try_from(row.attempts()).unwrap(), asked);
    // Were anything still at work, it would have asked for the rest by then.
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.dbt.count(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_caller_has_gone_is_not_sent_again() {
    let bench = Bench::with(|_, _| Reply::status(503).retry_after(9));
    let request = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7));

    hangs_up_at(request, tokio::time::sleep(Duration::from_secs(3))).await;

    let row = bench.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert_eq!(row.closing().unwrap().status_code, Some(503));
    assert_eq!(whys(&row), ["asked"]);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_runs_to_its_end_without_its_caller() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 77})).after(Duration::from_secs(30)));
    let ctx = bench.ctx(RequestType::TriggerJob);
    let request = bench.provider.trigger_job(ctx, JobId(1), order());

    hangs_up_at(request, bench.dbt.asked(1)).await;

    let row = bench.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::Succeeded));
    assert_eq!(
        row.closing().unwrap().run_id.map(|id| id.0),
        Some(77),
        "the run it started is on record"
    );
    assert_eq!(bench.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_caller_goes_before_it_is_opened_never_reaches_dbt() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 77})));
    bench.log.now(Mood::Holds);
    let ctx = bench.ctx(RequestType::TriggerJob);
    let request = bench.provider.trigger_job(ctx, JobId(1), order());

    hangs_up_at(request, bench.log.tried(1)).await;
    bench.log.now(Mood::Takes);

    let row = bench.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::CallerGone), 0));
    bench.provider.drain().await;
    assert_eq!(bench.dbt.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_at_all_has_no_row() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 77})));
    let ctx = bench.ctx(RequestType::TriggerJob);
    drop(bench.provider.trigger_job(ctx, JobId(1), order()));
    bench.provider.drain().await;
    assert_eq!((bench.dbt.count(), bench.log.rows().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_the_changes_under_way() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 77})).after(Duration::from_secs(30)));
    let ctx = bench.ctx(RequestType::TriggerJob);
    let request = bench.provider.trigger_job(ctx, JobId(1), order());
    hangs_up_at(request, bench.dbt.asked(1)).await;

    assert!(bench.provider.drain().now_or_never().is_none(), "a change is under way");
    bench.provider.drain().await;

    assert_eq!(bench.journal.lines()[..2], ["row open", "dbt POST"]);
    assert_eq!(bench.log.closed_row().await.outcome(), Some(Outcome::Succeeded));
}
