//! Streamed answers: when their row is opened and closed, and how an interrupted one ends.

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

use crate::support::{LogMode, Reply, TestProvider, within_an_hour};

/// More chunks than the buffer and the tasks in between can hold.
const MANY: usize = 50;

/// dbt Cloud that answers once, with this body.
fn serving(status: u16, body: ApiBody) -> TestProvider {
    let body = Mutex::new(Some(body));
    TestProvider::with(move |_, _| match body.lock().unwrap().take() {
        Some(body) => Reply::Pieces { status, body },
        None => Reply::Fails(disconnected()),
    })
}

/// A body that the test writes.
fn channel_body() -> (UnboundedSender<Result<Bytes, ApiError>>, ApiBody) {
    let (feed, body) = unbounded();
    (feed, body.boxed())
}

fn disconnected() -> ApiError {
    ApiError::Disconnected {
        status: Some(http::StatusCode::OK),
        source: "connection reset".into(),
    }
}

async fn get_artifact(fixture: &TestProvider) -> Result<StreamedAnswer, ProviderError> {
    let path = ArtifactPath::new("manifest.json").unwrap();
    let ctx = fixture.ctx(RequestType::GetRunArtifact);
    let answer = fixture
        .provider
        .get_run_artifact(ctx, RunId(7), path, None, HeaderMap::new());
    answer.await
}

async fn pieces(fixture: &TestProvider) -> BoxStream<'static, Result<Bytes, StreamAborted>> {
    match get_artifact(fixture).await.map(|answer| answer.body) {
        Ok(AnswerBody::Pieces(pieces)) => pieces,
        Ok(AnswerBody::Whole(_)) => panic!("it was collected"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_row_is_opened_before_the_first_byte_and_closed_after_the_last() {
    let (mut feed, body) = channel_body();
    let fixture = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let mut pieces = pieces(&fixture).await;
    assert_eq!(fixture.journal.lines(), ["dbt GET", "row open"]);

    assert_eq!(pieces.next().await, Some(Ok("be".into())));
    feed.send(Ok("gun".into())).await.unwrap();
    assert_eq!(pieces.next().await, Some(Ok("gun".into())));
    assert_eq!(fixture.log.only_row().outcome(), None, "the body has not ended");
    drop(feed);
    assert_eq!(within_an_hour(pieces.next()).await, None);

    let row = fixture.log.closed_row().await;
    let closing = row.closing().unwrap();
    assert_eq!(row.outcome(), Some(Outcome::Succeeded));
    assert_eq!((closing.bytes, closing.status_code), (Some(5), Some(200)));
}

#[tokio::test(start_paused = true)]
async fn no_byte_is_returned_before_the_open_row_is_committed() {
    let (mut feed, body) = channel_body();
    let fixture = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    fixture.log.set_mode(LogMode::Stalls);

    let error = get_artifact(&fixture).await.err().unwrap();

    assert!(matches!(error, ProviderError::Log(LogError::Unavailable)), "{error}");
    fixture.log.set_mode(LogMode::Accepts);
    // dbt Cloud was asked, so it is no refusal.
    assert_eq!(fixture.log.closed_row().await.outcome(), Some(Outcome::InternalError));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_is_one_row_written_once() {
    let fixture = serving(304, futures::stream::empty().boxed());
    let answer = get_artifact(&fixture).await.unwrap();
    assert!(matches!(answer.body, AnswerBody::Whole(body) if body.is_empty()));
    assert_eq!(fixture.journal.lines(), ["dbt GET", "row succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_body_never_ends_as_if_it_were_complete() {
    let (mut feed, body) = channel_body();
    let fixture = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let mut pieces = pieces(&fixture).await;
    feed.send(Err(disconnected())).await.unwrap();

    assert_eq!(pieces.next().await, Some(Ok("be".into())));
    assert_eq!(within_an_hour(pieces.next()).await, Some(Err(StreamAborted)));
    assert_eq!(pieces.next().await, None);

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::Truncated));
    assert_eq!(row.closing().unwrap().bytes, Some(2));
    assert!(row.closing().unwrap().error().unwrap().contains("connection reset"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_before_its_first_byte_is_an_error() {
    let (mut feed, body) = channel_body();
    let fixture = serving(200, body);
    feed.send(Err(disconnected())).await.unwrap();
    let error = get_artifact(&fixture).await.err().unwrap();
    assert!(
        matches!(error, ProviderError::Api(ApiError::Disconnected { .. })),
        "{error}"
    );
    assert_eq!(
        fixture.journal.lines(),
        ["dbt GET", "dbt GET", "dbt GET", "row disconnected"],
        "nothing had left: it was sent again"
    );
}

#[tokio::test(start_paused = true)]
async fn reading_from_dbt_stops_when_the_caller_disconnects() {
    let (mut feed, body) = channel_body();
    let fixture = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let mut pieces = pieces(&fixture).await;
    assert_eq!(pieces.next().await, Some(Ok("be".into())));

    drop(pieces);

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert_eq!(row.closing().unwrap().bytes, Some(2));
    fixture.provider.drain().await;
    assert!(feed.is_closed(), "dbt's body was not dropped");
}

#[tokio::test(start_paused = true)]
async fn a_slow_caller_slows_reading_and_is_dropped_when_it_stalls() {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let body = futures::stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Bytes::from_static(b"more"))
    });
    let fixture = serving(200, body.take(1_000_000).boxed());
    let mut pieces = pieces(&fixture).await;
    for _ in 0..MANY {
        assert!(pieces.next().await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    let ahead = read.load(Ordering::SeqCst) - MANY;
    assert!(ahead <= 4, "{ahead} pieces were read ahead of the caller");

    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::CallerGone));
    assert!(row.closing().unwrap().error().unwrap().contains("60s"), "{row:?}");
    let rest: Vec<_> = pieces.collect().await;
    assert_eq!(rest.last(), Some(&Err(StreamAborted)), "the body does not end cleanly");
}

#[tokio::test(start_paused = true)]
async fn abort_streams_interrupts_answers_in_flight() {
    let (mut feed, body) = channel_body();
    let fixture = serving(200, body);
    feed.send(Ok("be".into())).await.unwrap();
    let pieces = pieces(&fixture).await;
    assert!(
        fixture.provider.drain().now_or_never().is_none(),
        "an answer is in flight"
    );

    fixture.provider.abort_streams();
    fixture.provider.drain().await;

    assert_eq!(fixture.log.closed_row().await.outcome(), Some(Outcome::Truncated));
    let rest: Vec<_> = pieces.collect().await;
    assert_eq!(rest.last(), Some(&Err(StreamAborted)), "the body does not end cleanly");
}
