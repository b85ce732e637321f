//! Retrying a run: the preview, the retry, and runs that cannot be retried.

use http::Method;
use model::{JobId, RequestType, Run, RunId};
use provider::{Outcome, ProviderError};
use serde_json::{Value, json};

use crate::support::{Reply, TestProvider, reasons};

const RUN: RunId = RunId(7);

/// dbt Cloud with that run, and with this answer to the POST.
fn dbt_with(run: Value, post: impl Fn() -> Reply + Send + Sync + 'static) -> TestProvider {
    TestProvider::with(move |_, request| match *request.method() {
        Method::POST => post(),
        _ if request.path().ends_with("/retry/") => {
            Reply::ok(&json!({"failed_step": "a", "skipped_steps": ["b", "c"]}))
        }
        _ => Reply::ok(&run),
    })
}

async fn retry(fixture: &TestProvider) -> Result<Run, ProviderError> {
    fixture
        .provider
        .retry_run(fixture.ctx(RequestType::RetryRun), RUN, model::StartOptions::default())
        .await
        .map(|started| started.run)
}

fn reason(refused: Result<Run, ProviderError>) -> Option<String> {
    match refused {
        Err(ProviderError::CannotRetry { run: RUN, reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_read_then_retried_and_the_row_names_the_new_run() {
    for can_retry in [json!(true), json!(null)] {
        let fixture = dbt_with(json!({"id": 7, "can_retry": can_retry}), || {
            Reply::ok(&json!({"id": 8}))
        });
        assert_eq!(retry(&fixture).await.unwrap().id, RunId(8));
        let row = fixture.log.only_row();
        assert_eq!(reasons(&row), ["before_change", "asked"]);
        assert_eq!(row.closing().unwrap().run_id, Some(RunId(8)));
        assert_eq!(row.fixed().args(), r#"{"run_id":7}"#);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_with_can_retry_false_is_not_retried() {
    let run = json!({"id": 7, "can_retry": false, "retry_not_supported_reason": "RETRY_NOT_LATEST_RUN"});
    let fixture = dbt_with(run, || Reply::ok(&json!({"id": 8})));
    assert_eq!(reason(retry(&fixture).await).as_deref(), Some("RETRY_NOT_LATEST_RUN"));
    assert_eq!(fixture.dbt.count(), 1);
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::Conflict));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_dbt_keeps_its_reason() {
    let run = || json!({"id": 7, "can_retry": true});
    let with_code = dbt_with(run(), || Reply::Answer {
        status: 400,
        retry_after_secs: None,
        body: json!({"data": {"retry_not_supported_reason": "RETRY_NOT_FAILED_RUN"}}),
        after: std::time::Duration::ZERO,
    });
    assert_eq!(reason(retry(&with_code).await).as_deref(), Some("RETRY_NOT_FAILED_RUN"));

    let with_message = dbt_with(run(), || Reply::status(400));
    assert_eq!(reason(retry(&with_message).await).as_deref(), Some("dbt says 400"));

    let unchanged_run = dbt_with(run(), || Reply::ok(&json!({"id": 7})));
    assert_eq!(reason(retry(&unchanged_run).await), None);
    let row = unchanged_run.log.only_row();
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Conflict), 2));
}

#[tokio::test(start_paused = true)]
async fn a_preview_reads_the_run_and_the_steps_to_run_again() {
    let retryable = dbt_with(json!({"id": 7, "can_retry": true}), || Reply::Panics);
    let ctx = retryable.ctx(RequestType::GetRetryPreview);
    let preview = retryable.provider.get_retry_preview(ctx, RUN).await.unwrap();
    assert_eq!(
        (preview.can_retry, preview.failed_step.as_deref()),
        (Some(true), Some("a"))
    );
    assert_eq!(preview.skipped_steps, ["b", "c"]);
    assert_eq!(retryable.log.only_row().attempts(), 2);

    let run = json!({"id": 7, "can_retry": false, "retry_not_supported_reason": "RETRY_UNSUPPORTED_CMD"});
    let not_retryable = dbt_with(run, || Reply::Panics);
    let ctx = not_retryable.ctx(RequestType::GetRetryPreview);
    let preview = not_retryable.provider.get_retry_preview(ctx, RUN).await.unwrap();
    assert_eq!(
        preview.retry_not_supported_reason.as_deref(),
        Some("RETRY_UNSUPPORTED_CMD")
    );
    assert_eq!((preview.failed_step, preview.skipped_steps), (None, Vec::new()));
    assert_eq!(not_retryable.dbt.count(), 1, "the steps are not requested");
}

#[tokio::test(start_paused = true)]
async fn a_rerun_is_sent_and_the_row_names_the_new_run() {
    let fixture = dbt_with(json!(null), || Reply::ok(&json!({"id": 9, "retrying_run_id": 7})));
    let ctx = fixture.ctx(RequestType::RerunJob);
    let started = fixture
        .provider
        .rerun_job(ctx, JobId(4), model::StartOptions::default())
        .await;
    assert_eq!(started.unwrap().run.id, RunId(9));
    assert_eq!(fixture.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
    let row = fixture.log.only_row();
    assert_eq!(
        (row.fixed().job_id, row.closing().unwrap().run_id),
        (Some(JobId(4)), Some(RunId(9)))
    );
}
