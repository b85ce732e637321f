//! Retries: what would run again, and that a run which cannot be retried is left alone.

use http::Method;
use model::{JobId, RequestType, Run, RunId};
use provider::{Outcome, ProviderError};
use serde_json::{Value, json};

use crate::support::{Bench, Reply, whys};

const RUN: RunId = RunId(7);

/// A dbt Cloud with that run, which answers the POST so.
fn bench(run: Value, post: impl Fn() -> Reply + Send + Sync + 'static) -> Bench {
    Bench::with(move |_, request| match *request.method() {
        Method::POST => post(),
        _ if request.path().ends_with("/retry/") => {
            Reply::ok(&json!({"failed_step": "a", "skipped_steps": ["b", "c"]}))
        }
        _ => Reply::ok(&run),
    })
}

async fn retry(bench: &Bench) -> Result<Run, ProviderError> {
    bench.provider.retry_run(bench.ctx(RequestType::RetryRun), RUN).await
}

fn reason(refused: Result<Run, ProviderError>) -> Option<String> {
    match refused {
        Err(ProviderError::CannotRetry { run: RUN, reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_looked_at_then_sent_and_its_row_names_the_new_run() {
    for can_retry in [json!(true), json!(null)] {
        let bench = bench(json!({"id": 7, "can_retry": can_retry}), || {
            Reply::ok(&json!({"id": 8}))
        });
        assert_eq!(retry(&bench).await.unwrap().id, RunId(8));
        let row = bench.log.only_row();
        assert_eq!(whys(&row), ["before_change", "asked"]);
        assert_eq!(row.closing().unwrap().run_id, Some(RunId(8)));
        assert_eq!(row.fixed().args(), r#"{"run_id":7}"#);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_says_it_cannot_be_retried_is_left_alone() {
    let run = json!({"id": 7, "can_retry": false, "retry_not_supported_reason": "RETRY_NOT_LATEST_RUN"});
    let bench = bench(run, || Reply::ok(&json!({"id": 8})));
    assert_eq!(reason(retry(&bench).await).as_deref(), Some("RETRY_NOT_LATEST_RUN"));
    assert_eq!(bench.dbt.count(), 1);
    assert_eq!(bench.log.only_row().outcome(), Some(Outcome::Conflict));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_dbt_is_told_with_its_reason() {
    let run = || json!({"id": 7, "can_retry": true});
    let with_word = bench(run(), || Reply::Answer {
        status: 400,
        retry_after_secs: None,
        body: json!({"data": {"retry_not_supported_reason": "RETRY_NOT_FAILED_RUN"}}),
        after: std::time::Duration::ZERO,
    });
    assert_eq!(reason(retry(&with_word).await).as_deref(), Some("RETRY_NOT_FAILED_RUN"));

    let in_words = bench(run(), || Reply::status(400));
    assert_eq!(reason(retry(&in_words).await).as_deref(), Some("dbt says 400"));

    let the_old_run = bench(run(), || Reply::ok(&json!({"id": 7})));
    assert_eq!(reason(retry(&the_old_run).await), None);
    let row = the_old_run.log.only_row();
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Conflict), 2));
}

#[tokio::test(start_paused = true)]
async fn a_preview_reads_the_run_and_what_would_run_again() {
    let can = bench(json!({"id": 7, "can_retry": true}), || Reply::Panics);
    let ctx = can.ctx(RequestType::GetRetryPreview);
    let preview = can.provider.get_retry_preview(ctx, RUN).await.unwrap();
    assert_eq!(
        (preview.can_retry, preview.failed_step.as_deref()),
        (Some(true), Some("a"))
    );
    assert_eq!(preview.skipped_steps, ["b", "c"]);
    assert_eq!(can.log.only_row().attempts(), 2);

    let run = json!({"id": 7, "can_retry": false, "retry_not_supported_reason": "RETRY_UNSUPPORTED_CMD"});
    let cannot = bench(run, || Reply::Panics);
    let ctx = cannot.ctx(RequestType::GetRetryPreview);
    let preview = cannot.provider.get_retry_preview(ctx, RUN).await.unwrap();
    assert_eq!(
        preview.retry_not_supported_reason.as_deref(),
        Some("RETRY_UNSUPPORTED_CMD")
    );
    assert_eq!((preview.failed_step, preview.skipped_steps), (None, Vec::new()));
    assert_eq!(cannot.dbt.count(), 1, "there is nothing to ask for");
}

#[tokio::test(start_paused = true)]
async fn a_rerun_is_sent_and_its_row_names_the_new_run() {
    let bench = bench(json!(null), || Reply::ok(&json!({"id": 9, "retrying_run_id": 7})));
    let ctx = bench.ctx(RequestType::RerunJob);
    assert_eq!(bench.provider.rerun_job(ctx, JobId(4)).await.unwrap().id, RunId(9));
    assert_eq!(bench.journal.lines(), ["row open", "dbt POST", "row succeeded"]);
    let row = bench.log.only_row();
    assert_eq!(
        (row.fixed().job_id, row.closing().unwrap().run_id),
        (Some(JobId(4)), Some(RunId(9)))
    );
}
