//! A collected read: one complete row, committed before the answer is returned.

use std::pin::pin;

use futures::poll;
use model::{ProjectId, RequestType, RunId};
use provider::{ApiError, LogError, Outcome, ProviderError, ProviderSettings};
use serde_json::json;

use crate::support::{ACCOUNT, LogMode, Reply, TestProvider, exchanges, settings};

#[tokio::test(start_paused = true)]
async fn a_read_is_one_exchange_and_then_one_complete_row() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 7, "name": "jaffle"})));
    let ctx = fixture.ctx(RequestType::GetProject);
    let uuid = ctx.request_uuid();

    let project = fixture.provider.get_project(ctx, ProjectId(7)).await.unwrap();

    assert_eq!(project.name.as_deref(), Some("jaffle"));
    assert_eq!(fixture.journal.lines(), ["dbt GET", "row succeeded"]);
    let row = fixture.log.only_row();
    let closing = row.closing().unwrap();
    assert_eq!(row.request_uuid(), uuid);
    assert_eq!(row.fixed().args(), r#"{"project_id":7}"#);
    assert_eq!(row.fixed().account_id, Some(ACCOUNT));
    assert_eq!(row.fixed().instance_id.map(|id| id.0), Some(9));
    assert_eq!(
        (closing.attempts, closing.status_code, closing.error()),
        (1, Some(200), None)
    );
    let mut logged = exchanges(&row);
    assert!(
        logged[0]["duration_ms"].take().as_f64().is_some_and(|took| took >= 0.0),
        "each exchange has its duration"
    );
    assert_eq!(
        logged,
        [
            json!({"operation": "get_project", "why": "asked", "status": 200, "started_at": "2026-03-04T05:06:07.000Z",
            "duration_ms": null})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_read_is_returned_only_after_its_commit() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 7})));
    fixture.log.set_mode(LogMode::Stalls);
    let mut answer = pin!(
        fixture
            .provider
            .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7))
    );

    tokio::select! {
        _ = &mut answer => panic!("answered before the row was sent to the log"),
        () = fixture.log.write_attempts(1) => {}
    }
    assert!(poll!(&mut answer).is_pending(), "answered before the commit");
    assert_eq!(fixture.dbt.count(), 1, "dbt Cloud has already answered");

    fixture.log.set_mode(LogMode::Accepts);
    assert!(answer.await.is_ok());
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_row_cannot_be_written_fails_although_dbt_answered() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 7})));
    fixture.log.set_mode(LogMode::Unavailable);
    let started = tokio::time::Instant::now();

    let refused = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Unavailable))),
        "{refused:?}"
    );
    assert_eq!(
        started.elapsed().as_secs(),
        settings().log_wait.as_secs(),
        "waits for log_wait"
    );
    assert_eq!(fixture.dbt.count(), 1);
    assert!(fixture.log.rows().is_empty());

    // The row is not lost: it is written once the log is available again.
    fixture.log.set_mode(LogMode::Accepts);
    assert_eq!(fixture.log.closed_row().await.outcome(), Some(Outcome::Succeeded));
    assert_eq!(fixture.log.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_row_the_database_rejects_fails() {
    let fixture = TestProvider::with(|_, _| Reply::ok(&json!({"id": 7})));
    fixture.log.set_mode(LogMode::RejectsAll);

    let refused = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Refused))),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_row_follows_the_status_of_the_answer() {
    let cases = [
        (400, Outcome::InvalidRequest),
        (401, Outcome::Credentials),
        (403, Outcome::Credentials),
        (404, Outcome::NotFound),
        (422, Outcome::UnprocessableEntity),
        (429, Outcome::TooManyRequests),
        (302, Outcome::UnexpectedStatus),
        (500, Outcome::UnexpectedStatus),
    ];
    for (status, outcome) in cases {
        let fixture = TestProvider::with(move |_, _| Reply::status(status));
        let answer = fixture
            .provider
            .get_run(fixture.ctx(RequestType::GetRun), RunId(11), Vec::new())
            .await;

        assert!(matches!(answer, Err(ProviderError::Api(_))), "{status}: {answer:?}");
        let row = fixture.log.only_row();
        let closing = row.closing().unwrap();
        assert_eq!(
            (row.outcome(), closing.status_code),
            (Some(outcome), Some(status)),
            "{status}"
        );
        assert!(
            closing.error().unwrap().contains(&format!("dbt says {status}")),
            "{status}: {:?}",
            closing.error()
        );
        assert_eq!(row.fixed().run_id, Some(RunId(11)));
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_row_has_the_error_and_its_cause() {
    type Failure = fn() -> ApiError;
    let cases: [(Failure, Outcome, &str); 4] = [
        (
            || ApiError::Timeout {
                status: None,
                source: "read timeout".into(),
            },
            Outcome::Timeout,
            "timeout",
        ),
        (|| ApiError::Connect("no route".into()), Outcome::Connect, "connect"),
        (
            || ApiError::Disconnected {
                status: None,
                source: "reset".into(),
            },
            Outcome::Disconnected,
            "disconnected",
        ),
        (
            || ApiError::Unsendable("line break".into()),
            Outcome::InternalError,
            "unsendable",
        ),
    ];
    for (failure, outcome, name) in cases {
        let fixture = TestProvider::with(move |_, _| Reply::Fails(failure()));
        let answer = fixture
            .provider
            .get_run(fixture.ctx(RequestType::GetRun), RunId(11), Vec::new())
            .await;

        assert!(answer.is_err());
        let row = fixture.log.only_row();
        let closing = row.closing().unwrap();
        let cause = std::error::Error::source(&failure()).unwrap().to_string();
        assert_eq!((row.outcome(), closing.status_code), (Some(outcome), None), "{name}");
        assert!(closing.error().unwrap().ends_with(&cause), "{:?}", closing.error());
        assert_eq!(exchanges(&row)[0]["error"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_and_a_row() {
    let fixture = TestProvider::with(|_, _| Reply::Panics);

    let answer = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(matches!(answer, Err(ProviderError::Panicked)), "{answer:?}");
    let row = fixture.log.only_row();
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::InternalError), 1));
}

#[tokio::test(start_paused = true)]
async fn with_open_reads_the_row_is_opened_before_dbt_is_contacted() {
    let open_reads = ProviderSettings {
        open_reads: true,
        ..settings()
    };
    let fixture = TestProvider::with_settings(open_reads, 64, |_, _| Reply::ok(&json!({"id": 7})));

    let answer = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(answer.is_ok());
    assert_eq!(fixture.journal.lines(), ["row open", "dbt GET", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn no_row_holds_the_token() {
    let fixture = TestProvider::with(|_, _| Reply::status(401));
    let answer = fixture
        .provider
        .get_project(fixture.ctx(RequestType::GetProject), ProjectId(7))
        .await;
    assert!(answer.is_err());
    assert!(!format!("{:?}", fixture.log.only_row()).contains("sesame"));
}
