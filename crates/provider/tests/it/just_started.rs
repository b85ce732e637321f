//! A run that was started just now may be a 404 for a moment.

use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use model::{CompanyId, RequestType, Run, RunId};
use provider::{NewRunSettings, Outcome, ProviderError, ProviderSettings};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{ACCOUNT, Bench, Reply, settings, whys};

const RUN: RunId = RunId(7);

async fn get(bench: &Bench) -> Result<Run, ProviderError> {
    bench
        .provider
        .get_run(bench.ctx(RequestType::GetRun), RUN, Vec::new())
        .await
}

#[tokio::test(start_paused = true)]
async fn a_new_run_is_asked_for_again_until_it_is_there() {
    let bench = Bench::with(|number, _| match number {
        1..=3 => Reply::status(404),
        _ => Reply::ok(&json!({"id": 7})),
    });
    bench.started.add(RUN);
    let begun = Instant::now();
    assert_eq!(get(&bench).await.unwrap().id, RUN);
    assert_eq!(begun.elapsed(), Duration::from_millis(1500), "three pauses");
    let row = bench.log.only_row();
    assert_eq!(
        whys(&row),
        ["asked", "not_visible_yet", "not_visible_yet", "not_visible_yet"]
    );
    assert_eq!(row.outcome(), Some(Outcome::Succeeded));
    let minute_ago = Utc.with_ymd_and_hms(2026, 3, 4, 5, 5, 7).unwrap();
    assert_eq!(
        bench.started.asked(),
        [(CompanyId(1), ACCOUNT, RUN, minute_ago)],
        "looked up once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_run_that_does_not_come_is_given_up_after_the_wait() {
    let bench = Bench::with(|_, _| Reply::status(404));
    bench.started.add(RUN);
    let begun = Instant::now();
    let answer = get(&bench).await;
    assert!(
        matches!(answer, Err(ProviderError::RunNotVisibleYet(RUN))),
        "{answer:?}"
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    let row = bench.log.only_row();
    assert_eq!((row.attempts(), row.outcome()), (7, Some(Outcome::NotFound)));
    assert_eq!(row.closing().unwrap().status_code, Some(404));
}

#[tokio::test(start_paused = true)]
async fn another_failure_ends_the_wait() {
    let bench = Bench::with(|number, _| Reply::status(if number == 1 { 404 } else { 429 }));
    bench.started.add(RUN);
    assert!(matches!(get(&bench).await, Err(ProviderError::Api(_))));
    assert_eq!(bench.dbt.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_started_here_is_not_found_at_once() {
    let bench = Bench::with(|_, _| Reply::status(404));
    bench.started.add(RunId(8));
    assert!(matches!(get(&bench).await, Err(ProviderError::Api(_))));
    assert_eq!((bench.dbt.count(), bench.started.asked().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn only_a_404_is_looked_up() {
    for status in [400, 401, 403, 429, 500, 503] {
        let bench = Bench::with(move |_, _| Reply::status(status));
        assert!(get(&bench).await.is_err());
        assert!(bench.started.asked().is_empty(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_asked_leaves_the_404_as_it_is() {
    let bench = Bench::with(|_, _| Reply::status(404));
    bench.started.is_away();
    assert!(matches!(get(&bench).await, Err(ProviderError::Api(_))));
    assert_eq!(bench.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_turned_off() {
    let never = NewRunSettings {
        young: Duration::ZERO,
        ..settings().new_runs
    };
    let set = ProviderSettings {
        new_runs: never,
        ..settings()
    };
    let bench = Bench::with_settings(set, 64, |_, _| Reply::status(404));
    bench.started.add(RUN);
    assert!(matches!(get(&bench).await, Err(ProviderError::Api(_))));
    assert!(bench.started.asked().is_empty());
}
