//! A change: its row is opened and committed before dbt Cloud is contacted, and closed afterwards.

use std::pin::pin;

use futures::poll;
use model::{JobId, RequestType, RunId};
use provider::{LogError, Outcome, ProviderError};
use serde_json::json;

use crate::support::{LogMode, Reply, TestProvider, settings, trigger_input};

const JOB: JobId = JobId(42);

async fn trigger(fixture: &TestProvider) -> Result<model::Run, ProviderError> {
    let ctx = fixture.ctx(RequestType::TriggerJob);
    fixture
        .provider
        .trigger_job(ctx, JOB, trigger_input(), model::StartOptions::default())
        .await
        .map(|started| started.run)
}

#[tokio::test(start_paused = true)]
async fn a_change_is_opened_then_sent_then_closed() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 70_403_110_000_000_i64, "status": 1})));

    let run = trigger(&fixture).await.unwrap();

    assert_eq!(fixture.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
    let row = fixture.log.only_row();
    assert_eq!(row.fixed().job_id, Some(JOB));
    assert_eq!(row.closing().unwrap().run_id, Some(run.id));
    assert_eq!(run.id, RunId(70_403_110_000_000));
    assert_eq!(row.fixed().args(), r#"{"job_id":42,"order":{"cause":"nightly"}}"#);
}

#[tokio::test(start_paused = true)]
async fn dbt_is_not_contacted_before_the_open_row_is_committed() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 1})));
    fixture.log.set_mode(LogMode::Stalls);
    let mut answer = pin!(trigger(&fixture));

    tokio::select! {
        _ = &mut answer => panic!("answered without a row"),
        () = fixture.log.write_attempts(1) => {}
    }
    assert!(poll!(&mut answer).is_pending());
    assert_eq!(fixture.dbt.count(), 0, "dbt Cloud was contacted before the commit");

    fixture.log.set_mode(LogMode::Accepts);
    assert!(answer.await.is_ok());
    assert_eq!(fixture.dbt.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_row_cannot_be_opened_is_not_sent_and_is_later_logged_as_refused() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 1})));
    fixture.log.set_mode(LogMode::Unavailable);

    let refused = trigger(&fixture).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Unavailable))),
        "{refused:?}"
    );
    fixture.log.set_mode(LogMode::Accepts);
    let row = fixture.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Refused), 0));
    assert_eq!(row.closing().unwrap().status_code, None);
    fixture.provider.drain().await;
    assert_eq!(fixture.dbt.count(), 0, "never sent");
    assert_eq!(fixture.log.rows().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_open_row_the_database_rejects_is_not_sent() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 1})));
    fixture.log.set_mode(LogMode::RejectsAll);

    let refused = trigger(&fixture).await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Refused))),
        "{refused:?}"
    );
    assert_eq!(fixture.dbt.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_at_most_close_wait_and_the_row_is_closed_later() {
    let (send_log, log) = std::sync::mpsc::channel::<std::sync::Arc<crate::support::MemoryLog>>();
    let log = std::sync::Mutex::new(log);
    // The log becomes unavailable while dbt Cloud works on the change.
    let fixture = TestProvider::with(move |_, _| {
        log.lock().unwrap().recv().unwrap().set_mode(LogMode::Unavailable);
        Reply::ok(&json!({"id": 1}))
    });
    send_log.send(fixture.log.clone()).unwrap();
    let started = tokio::time::Instant::now();

    let run = trigger(&fixture).await;

    assert!(run.is_ok(), "the run was started, so the answer is a success: {run:?}");
    assert_eq!(started.elapsed().as_secs(), settings().close_wait.as_secs());
    assert_eq!(fixture.log.only_row().outcome(), None, "still open");

    fixture.log.set_mode(LogMode::Accepts);
    assert_eq!(fixture.log.closed_row().await.outcome(), Some(Outcome::Succeeded));
    assert_eq!(fixture.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_change_is_closed_with_its_error() {
    let fixture = TestProvider::with(|_, _| Reply::status(409));

    let answer = trigger(&fixture).await;

    assert!(matches!(answer, Err(ProviderError::Change(_))), "{answer:?}");
    assert_eq!(fixture.journal.lines(), ["row open", "dbt POST", "row conflict"]);
    assert_eq!(fixture.log.only_row().closing().unwrap().status_code, Some(409));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_change_closes_its_row() {
    let fixture = TestProvider::with(|_, _| Reply::Panics);

    let answer = trigger(&fixture).await;

    assert!(matches!(answer, Err(ProviderError::Panicked)), "{answer:?}");
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::InternalError));
}
