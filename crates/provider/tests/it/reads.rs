//! A collected read: one whole row, committed before the answer leaves.

use std::pin::pin;

use futures::poll;
use model::{ProjectId, RequestType, RunId};
use provider::{ApiError, LogError, Outcome, ProviderError, ProviderSettings};
use serde_json::json;

use crate::support::{ACCOUNT, Bench, Mood, Reply, exchanges, settings};

#[tokio::test(start_paused = true)]
async fn a_read_is_one_exchange_and_then_one_whole_row() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 7, "name": "jaffle"})));
    let ctx = bench.ctx(RequestType::GetProject);
    let uuid = ctx.request_uuid();

    let project = bench.provider.get_project(ctx, ProjectId(7)).await.unwrap();

    assert_eq!(project.name.as_deref(), Some("jaffle"));
    assert_eq!(bench.journal.lines(), ["dbt GET", "row succeeded"]);
    let row = bench.log.only_row();
    let closing = row.closing().unwrap();
    assert_eq!(row.request_uuid(), uuid);
    assert_eq!(row.fixed().args(), r#"{"project_id":7}"#);
    assert_eq!(row.fixed().account_id, Some(ACCOUNT));
    assert_eq!(row.fixed().instance_id.map(|id| id.0), Some(9));
    assert_eq!(
        (closing.attempts, closing.status_code, closing.error()),
        (1, Some(200), None)
    );
    let mut told = exchanges(&row);
    assert!(
        told[0]["duration_ms"].take().as_f64().is_some_and(|took| took >= 0.0),
        "each exchange tells how long it took"
    );
    assert_eq!(
        told,
        [
            json!({"operation": "get_project", "why": "asked", "status": 200, "started_at": "2026-03-04T05:06:07.000Z",
            "duration_ms": null})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_read_leaves_only_after_its_commit() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 7})));
    bench.log.now(Mood::Holds);
    let mut answer = pin!(
        bench
            .provider
            .get_project(bench.ctx(RequestType::GetProject), ProjectId(7))
    );

    tokio::select! {
        _ = &mut answer => panic!("answered before the row was even sent to the log"),
        () = bench.log.tried(1) => {}
    }
    assert!(poll!(&mut answer).is_pending(), "answered before the commit");
    assert_eq!(bench.dbt.count(), 1, "dbt Cloud has answered long since");

    bench.log.now(Mood::Takes);
    assert!(answer.await.is_ok());
    assert_eq!(bench.log.only_row().outcome(), Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_row_cannot_be_written_is_refused_though_dbt_answered() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 7})));
    bench.log.now(Mood::IsAway);
    let begun = tokio::time::Instant::now();

    let refused = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Unavailable))),
        "{refused:?}"
    );
    assert_eq!(
        begun.elapsed().as_secs(),
        settings().log_wait.as_secs(),
        "it waits as long as it may"
    );
    assert_eq!(bench.dbt.count(), 1);
    assert!(bench.log.rows().is_empty());

    // The row is not lost for that: what dbt Cloud did is written when the log is back.
    bench.log.now(Mood::Takes);
    assert_eq!(bench.log.closed_row().await.outcome(), Some(Outcome::Succeeded));
    assert_eq!(bench.log.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_row_the_database_refuses_even_reduced_is_refused_too() {
    let bench = Bench::with(|_, _| Reply::ok(&json!({"id": 7})));
    bench.log.now(Mood::RefusesAll);

    let refused = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(
        matches!(refused, Err(ProviderError::Log(LogError::Refused))),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_row_tells_which_error_the_answer_was() {
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
        let bench = Bench::with(move |_, _| Reply::status(status));
        let answer = bench
            .provider
            .get_run(bench.ctx(RequestType::GetRun), RunId(11), Vec::new())
            .await;

        assert!(matches!(answer, Err(ProviderError::Api(_))), "{status}: {answer:?}");
        let row = bench.log.only_row();
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
async fn a_row_tells_which_error_stood_in_place_of_an_answer_and_what_caused_it() {
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
        let bench = Bench::with(move |_, _| Reply::Fails(failure()));
        let answer = bench
            .provider
            .get_run(bench.ctx(RequestType::GetRun), RunId(11), Vec::new())
            .await;

        assert!(answer.is_err());
        let row = bench.log.only_row();
        let closing = row.closing().unwrap();
        let cause = std::error::Error::source(&failure()).unwrap().to_string();
        assert_eq!((row.outcome(), closing.status_code), (Some(outcome), None), "{name}");
        assert!(closing.error().unwrap().ends_with(&cause), "{:?}", closing.error());
        assert_eq!(exchanges(&row)[0]["error"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_and_a_row() {
    let bench = Bench::with(|_, _| Reply::Panics);

    let answer = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(matches!(answer, Err(ProviderError::Panicked)), "{answer:?}");
    let row = bench.log.only_row();
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::InternalError), 1));
}

#[tokio::test(start_paused = true)]
async fn reads_too_can_be_opened_before_dbt_is_asked() {
    let careful = ProviderSettings {
        open_reads: true,
        ..settings()
    };
    let bench = Bench::with_settings(careful, 64, |_, _| Reply::ok(&json!({"id": 7})));

    let answer = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7))
        .await;

    assert!(answer.is_ok());
    assert_eq!(bench.journal.lines(), ["row open", "dbt GET", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn no_row_holds_the_token() {
    let bench = Bench::with(|_, _| Reply::status(401));
    let answer = bench
        .provider
        .get_project(bench.ctx(RequestType::GetProject), ProjectId(7))
        .await;
    assert!(answer.is_err());
    assert!(!format!("{:?}", bench.log.only_row()).contains("sesame"));
}
