//! dbt Cloud may answer 404 for a run that was just started.

use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use model::{CompanyId, RequestType, Run, RunId};
use provider::{NewRunSettings, Outcome, ProviderError, ProviderSettings};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{ACCOUNT, Reply, TestProvider, reasons, settings};

const RUN: RunId = RunId(7);

async fn get(fixture: &TestProvider) -> Result<Run, ProviderError> {
    fixture
        .provider
        .get_run(fixture.ctx(RequestType::GetRun), RUN, Vec::new())
        .await
}

#[tokio::test(start_paused = true)]
async fn a_new_run_is_read_again_until_dbt_shows_it() {
    let fixture = TestProvider::with(|number, _| match number {
        1..=3 => Reply::status(404),
        _ => Reply::ok(&json!({"id": 7})),
    });
    fixture.started.add(RUN);
    let started = Instant::now();
    assert_eq!(get(&fixture).await.unwrap().id, RUN);
    assert_eq!(started.elapsed(), Duration::from_millis(1500), "three pauses");
    let row = fixture.log.only_row();
    assert_eq!(
        reasons(&row),
        ["asked", "not_visible_yet", "not_visible_yet", "not_visible_yet"]
    );
    assert_eq!(row.outcome(), Some(Outcome::Succeeded));
    let minute_ago = Utc.with_ymd_and_hms(2026, 3, 4, 5, 5, 7).unwrap();
    assert_eq!(
        fixture.started.lookups(),
        [(CompanyId(1), ACCOUNT, RUN, minute_ago)],
        "looked up once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_run_that_stays_hidden_is_an_error_after_the_wait() {
    let fixture = TestProvider::with(|_, _| Reply::status(404));
    fixture.started.add(RUN);
    let started = Instant::now();
    let answer = get(&fixture).await;
    assert!(
        matches!(answer, Err(ProviderError::RunNotVisibleYet(RUN))),
        "{answer:?}"
    );
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    let row = fixture.log.only_row();
    assert_eq!((row.attempts(), row.outcome()), (7, Some(Outcome::NotFound)));
    assert_eq!(row.closing().unwrap().status_code, Some(404));
}

#[tokio::test(start_paused = true)]
async fn another_failure_ends_the_wait() {
    let fixture = TestProvider::with(|number, _| Reply::status(if number == 1 { 404 } else { 429 }));
    fixture.started.add(RUN);
    assert!(matches!(get(&fixture).await, Err(ProviderError::Api(_))));
    assert_eq!(fixture.dbt.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_not_started_by_the_gateway_is_not_found_without_a_wait() {
    let fixture = TestProvider::with(|_, _| Reply::status(404));
    fixture.started.add(RunId(8));
    assert!(matches!(get(&fixture).await, Err(ProviderError::Api(_))));
    assert_eq!((fixture.dbt.count(), fixture.started.lookups().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn only_a_404_is_looked_up() {
    for status in [400, 401, 403, 429, 500, 503] {
        let fixture = TestProvider::with(move |_, _| Reply::status(status));
        assert!(get(&fixture).await.is_err());
        assert!(fixture.started.lookups().is_empty(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_leaves_the_404_unchanged() {
    let fixture = TestProvider::with(|_, _| Reply::status(404));
    fixture.started.make_unavailable();
    assert!(matches!(get(&fixture).await, Err(ProviderError::Api(_))));
    assert_eq!(fixture.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_wait_can_be_turned_off() {
    let never = NewRunSettings {
        young: Duration::ZERO,
        ..settings().new_runs
    };
    let set = ProviderSettings {
        new_runs: never,
        ..settings()
    };
    let fixture = TestProvider::with_settings(set, 64, |_, _| Reply::status(404));
    fixture.started.add(RUN);
    assert!(matches!(get(&fixture).await, Err(ProviderError::Api(_))));
    assert!(fixture.started.lookups().is_empty());
}
