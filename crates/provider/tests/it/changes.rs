//! A change: its row is open and committed before dbt Cloud hears of it, and closed after.

use std::pin::pin;

use futures::poll;
use model::{JobId, RequestType, RunId};
use provider::{LogError, Outcome, ProviderError};
use serde_json::json;

use crate::support::{Bench, Mood, Reply, order, settings};

const JOB: JobId = JobId(42);

async fn trigger(bench: &Bench) -> Result<model::Run, ProviderError> {
    let ctx = bench.ctx(RequestType::TriggerJob);
    bench.provider.trigger_job(ctx, JOB, order()).await
}

#[tokio::test(start_paused = true)]
async fn a_change_is_opened_then_sent_then_closed() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 70_403_110_000_000_i64, "status": 1})));

    let run = trigger(&bench).await.unwrap();

    assert_eq!(bench.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
    let row = bench.log.only_row();
    assert_eq!(row.fixed().job_id, Some(JOB));
    assert_eq!(row.closing().unwrap().run_id, Some(run.id));
    assert_eq!(run.id, RunId(70_403_110_000_000));
    assert_eq!(row.fixed().args(), r#"{"job_id":42,"order":{"cause":"nightly"}}"#);
}

#[tokio::test(start_paused = true)]
async fn dbt_is_not_contacted_before_the_open_row_is_committed() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 1})));
    bench.log.now(Mood::Holds);
    let mut answer = pin!(trigger(&bench));

    tokio::select! {
        _ = &mut answer => panic!("answered without a row"),
        () = bench.log.tried(1) => {}
    }
    assert!(poll!(&mut answer).is_pending());
    assert_eq!(bench.dbt.count(), 0, "dbt Cloud was contacted before the commit");

    bench.log.now(Mood::Takes);
    assert!(answer.await.is_ok());
    assert_eq!(bench.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_opened_never_reaches_dbt_and_is_later_logged_as_refused() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 1})));
    bench.log.now(Mood::IsAway);

    let refused = trigger(&bench).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Unavailable))),
        "{refused:?}"
    );
    bench.log.now(Mood::Takes);
    let row = bench.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Refused), 0));
    assert_eq!(row.closing().unwrap().status_code, None);
    bench.provider.drain().await;
    assert_eq!(bench.dbt.count(), 0, "not even later");
    assert_eq!(bench.log.rows().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_open_row_the_database_refuses_never_reaches_dbt() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 1})));
    bench.log.now(Mood::RefusesAll);

    let refused = trigger(&bench).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Refused))),
        "{refused:?}"
    );
    assert_eq!(bench.dbt.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_does_not_wait_for_ever_for_its_close_which_is_written_once_the_log_is_back() {
    let (tell, log_of) = std::sync::mpsc::channel::<std::sync::Arc<crate::support::MemoryLog>>();
    let log_of = std::sync::Mutex::new(log_of);
    // The log goes away while dbt Cloud works on the change.
    let bench = Bench::with(move |_, _| {
        log_of.lock().unwrap().recv().unwrap().now(Mood::IsAway);
        Reply::ok(&json!({"id": 1}))
    });
    tell.send(bench.log.clone()).unwrap();
    let begun = tokio::time::Instant::now();

    let run = trigger(&bench).await;

    assert!(run.is_ok(), "the run was started, and its caller hears so: {run:?}");
    assert_eq!(begun.elapsed().as_secs(), settings().close_wait.as_secs());
    assert_eq!(bench.log.only_row().outcome(), None, "open as yet");

    bench.log.now(Mood::Takes);
    assert_eq!(bench.log.closed_row().await.outcome(), Some(Outcome::Succeeded));
    assert_eq!(bench.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_change_is_closed_with_its_error() {
    let bench = Bench::with(|_, _| Reply::status(409));

    let answer = trigger(&bench).await;

    assert!(matches!(answer, Err(ProviderError::Change(_))), "{answer:?}");
    assert_eq!(bench.journal.lines(), ["row open", "dbt POST", "row unexpected_status"]);
    assert_eq!(bench.log.only_row().closing().unwrap().status_code, Some(409));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_change_closes_its_row() {
    let bench = Bench::with(|_, _| Reply::Panics);

    let answer = trigger(&bench).await;

    assert!(matches!(answer, Err(ProviderError::Panicked)), "{answer:?}");
    assert_eq!(bench.log.only_row().outcome(), Some(Outcome::InternalError));
}
