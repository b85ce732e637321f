//! Answers that are handed on piece by piece: when their row is opened and closed, and what a broken one looks like.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dbt_api::{ApiBody, ApiError};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::stream::{BoxStream, StreamExt as _};
use futures::{FutureExt as _, SinkExt as _};
use http::HeaderMap;
use model::{ArtifactPath, RequestType, RunId};
use provider::{AnswerBody, LogError, Outcome, ProviderError, StreamAborted, StreamedAnswer};

use crate::support::{Bench, Mood, Reply, soon};

/// Twice what the tests' settings let wait, plus what is in somebody's hands.
const MANY: usize = 50;

/// A dbt Cloud that answers with this body, once.
fn serving(status: u16, body: ApiBody) -> Bench {
    let body = Mutex::new(Some(body));
    Bench::with(move |_, _| Reply::Pieces {
        status,
        body: body.lock().unwrap().take().unwrap(),
    })
}

/// A body that the test feeds.
fn fed() -> (UnboundedSender<Result<Bytes, ApiError>>, ApiBody) {
    let (feed, body) = unbounded();
    (feed, body.boxed())
}

fn broken() -> ApiError {
    ApiError::Disconnected {
        status: Some(http::StatusCode::OK),
        source: "the wire was cut".into(),
    }
}

async fn ask(bench: &Bench) -> Result<StreamedAnswer, ProviderError> {
    let path = ArtifactPath::new("manifest.json").unwrap();
    let ctx = bench.ctx(RequestType::GetRunArtifact);
    let asked = bench
        .provider
        .get_run_artifact(ctx, RunId(7), path, None, HeaderMap::new());
    asked.await
}

async fn pieces(bench: &Bench) -> BoxStream<'static, Result<Bytes, StreamAborted>> {
    match ask(bench).await.map(|answer| answer.body) {
        Ok(AnswerBody::Pieces(pieces)) => pieces,
        Ok(AnswerBody::Whole(_)) => panic!("it was collected"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_row_is_open_before_the_first_byte_and_closed_after_the_last() {
    let (mut feed, body) = fed();
    let bench = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let mut pieces = pieces(&bench).await;
    assert_eq!(bench.journal.lines(), ["dbt GET", "row open"]);

    assert_eq!(pieces.next().await, Some(Ok("be".into())));
    feed.send(Ok("gun".into())).await.unwrap();
    assert_eq!(pieces.next().await, Some(Ok("gun".into())));
    assert_eq!(bench.log.only_row().outcome(), None, "it is not over");
    drop(feed);
    assert_eq!(soon(pieces.next()).await, None);

    let row = bench.log.closed_row().await;
    let closing = row.closing().unwrap();
    assert_eq!(row.outcome(), Some(Outcome::Succeeded));
    assert_eq!((closing.bytes, closing.status_code), (Some(5), Some(200)));
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_the_open_row_is_committed() {
    let (mut feed, body) = fed();
    let bench = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    bench.log.now(Mood::Holds);

    let error = ask(&bench).await.err().unwrap();

    assert!(matches!(error, ProviderError::Log(LogError::Unavailable)), "{error}");
    bench.log.now(Mood::Takes);
    assert_eq!(bench.log.closed_row().await.outcome(), Some(Outcome::Refused));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_is_one_row_written_once() {
    let bench = serving(304, futures::stream::empty().boxed());
    let answer = ask(&bench).await.unwrap();
    assert!(matches!(answer.body, AnswerBody::Whole(body) if body.is_empty()));
    assert_eq!(bench.journal.lines(), ["dbt GET", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_never_ends_as_if_it_were_whole() {
    let (mut feed, body) = fed();
    let bench = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let mut pieces = pieces(&bench).await;
    feed.send(Err(broken())).await.unwrap();

    assert_eq!(pieces.next().await, Some(Ok("be".into())));
    assert_eq!(soon(pieces.next()).await, Some(Err(StreamAborted)));
    assert_eq!(pieces.next().await, None);

    let row = bench.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::Truncated));
    assert_eq!(row.closing().unwrap().bytes, Some(2));
    assert!(row.closing().unwrap().error().unwrap().contains("the wire was cut"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_before_anything_left_is_an_error() {
    let (mut feed, body) = fed();
    let bench = serving(200, body);
    feed.send(Err(broken())).await.unwrap();
    let error = ask(&bench).await.err().unwrap();
    assert!(
        matches!(error, ProviderError::Api(ApiError::Disconnected { .. })),
        "{error}"
    );
    assert_eq!(bench.journal.lines(), ["dbt GET", "row disconnected"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_caller_goes_dbt_is_read_no_further() {
    let (mut feed, body) = fed();
    let bench = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let mut pieces = pieces(&bench).await;
    assert_eq!(pieces.next().await, Some(Ok("be".into())));

    drop(pieces);

    let row = bench.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert_eq!(row.closing().unwrap().bytes, Some(2));
    bench.provider.drain().await;
    assert!(feed.is_closed(), "somebody still holds dbt's body");
}

#[tokio::test(start_paused = true)]
async fn a_slow_caller_holds_dbt_back_and_counts_as_gone_when_it_stalls() {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let body = futures::stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Bytes::from_static(b"more"))
    });
    let bench = serving(200, body.take(1_000_000).boxed());
    let mut pieces = pieces(&bench).await;
    for _ in 0..MANY {
        assert!(pieces.next().await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    let ahead = read.load(Ordering::SeqCst) - MANY;
    assert!(ahead <= 4, "{ahead} pieces were read ahead of the caller");

    let row = bench.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert!(row.closing().unwrap().error().unwrap().contains("60s"), "{row:?}");
    let rest: Vec<_> = pieces.collect().await;
    assert_eq!(
        rest.last(),
        Some(&Err(StreamAborted)),
        "it comes back and finds no clean end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_breaks_off_what_is_still_streamed() {
    let (mut feed, body) = fed();
    let bench = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let pieces = pieces(&bench).await;
    assert!(
        bench.provider.drain().now_or_never().is_none(),
        "an answer is under way"
    );

    bench.provider.abort_streams();
    bench.provider.drain().await;

    assert_eq!(bench.log.closed_row().await.outcome(), Some(Outcome::Truncated));
    let rest: Vec<_> = pieces.collect().await;
    assert_eq!(
        rest.last(),
        Some(&Err(StreamAborted)),
        "it does not end as if it were whole"
    );
}
