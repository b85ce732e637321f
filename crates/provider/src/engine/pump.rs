//! The task that pipes one streamed answer: it owns dbt Cloud's body and the row, and feeds a bounded channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dbt_api::{ApiBody, ApiError};
use futures::stream::{self, BoxStream, StreamExt as _};
use model::Effect;
use storage::Outcome;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::StreamSettings;
use crate::engine::request_scope::RequestScope;

/// A streamed body is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub struct StreamAborted;

enum Piece {
    Bytes(Bytes),
    /// The end of a complete body. A channel that closes without it means an aborted body.
    End,
}

/// Why piping stopped early.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("the caller disconnected")]
    CallerGone,
    #[error("the caller read nothing for {0:?}")]
    Stalled(std::time::Duration),
    #[error(transparent)]
    Upstream(#[from] ApiError),
    #[error("the gateway shut down")]
    Shutdown,
}

/// What is piped.
pub(crate) struct Piped {
    /// The outcome of a complete answer.
    pub(crate) outcome: Outcome,
    pub(crate) effect: Effect,
    /// A caller that has read this many bytes may disconnect without waiting for the end of the channel.
    pub(crate) content_length: Option<u64>,
}

pub(crate) struct Pump {
    scope: RequestScope,
    piped: Piped,
    pieces: mpsc::Sender<Piece>,
    /// Bytes that the caller has read.
    read: Arc<AtomicU64>,
    settings: StreamSettings,
    shutdown: CancellationToken,
}

impl Pump {
    /// The pump, and the body that it feeds.
    pub(crate) fn new(
        scope: RequestScope,
        piped: Piped,
        settings: StreamSettings,
        shutdown: CancellationToken,
    ) -> (Self, BoxStream<'static, Result<Bytes, StreamAborted>>) {
        let (pieces, receiver) = mpsc::channel(settings.buffer_pieces);
        let read = Arc::new(AtomicU64::new(0));
        let pump = Self {
            scope,
            piped,
            pieces,
            read: Arc::clone(&read),
            settings,
            shutdown,
        };
        (pump, body(receiver, read))
    }

    /// Pipes the beginning and the rest, then closes the row.
    pub(crate) async fn run(self, beginning: Vec<Bytes>, mut rest: ApiBody) {
        let result = self.pipe(beginning, &mut rest).await;
        let Self {
            scope, piped, pieces, ..
        } = self;
        let Piped { outcome, effect, .. } = piped;
        let (outcome, error) = match &result {
            Ok(()) => (outcome, None),
            // dbt Cloud has made the change.
            Err(Stop::CallerGone | Stop::Stalled(_)) if effect == Effect::Change => (outcome, None),
            Err(Stop::CallerGone) => (Outcome::CallerGone, None),
            Err(stop @ Stop::Stalled(_)) => (Outcome::CallerGone, Some(stop)),
            Err(stop @ (Stop::Upstream(_) | Stop::Shutdown)) => (Outcome::Truncated, Some(stop)),
        };
        // Queued; the commit is not awaited.
        drop(scope.end_as(outcome, error.map(|stop| stop as &dyn std::error::Error)));
        if result.is_ok() {
            // Fails only when the caller has disconnected.
            let _ = pieces.try_send(Piece::End);
        }
    }

    async fn pipe(&self, beginning: Vec<Bytes>, rest: &mut ApiBody) -> Result<(), Stop> {
        for piece in beginning {
            self.send(piece).await?;
        }
        loop {
            let next = tokio::select! {
                next = rest.next() => next,
                () = self.pieces.closed() => return self.disconnected(),
                () = self.shutdown.cancelled() => return Err(Stop::Shutdown),
            };
            match next {
                Some(piece) => self.send(piece?).await?,
                None => break,
            }
        }
        let all_read = self.pieces.reserve_many(self.pieces.max_capacity());
        self.until_read(all_read).await.map(drop).or_else(|stop| match stop {
            Stop::CallerGone => self.disconnected(),
            stop => Err(stop),
        })
    }

    /// The caller has disconnected: fine if it has read the whole body.
    fn disconnected(&self) -> Result<(), Stop> {
        let has_all = self.piped.content_length == Some(self.read.load(Ordering::Acquire));
        if has_all { Ok(()) } else { Err(Stop::CallerGone) }
    }

    async fn send(&self, piece: Bytes) -> Result<(), Stop> {
        self.until_read(self.pieces.send(Piece::Bytes(piece))).await
    }

    /// Waits until the caller reads on, for at most `settings.stall`.
    async fn until_read<T, E>(&self, read: impl Future<Output = Result<T, E>>) -> Result<T, Stop> {
        tokio::select! {
            waited = timeout(self.settings.stall, read) => match waited {
                Ok(Ok(read)) => Ok(read),
                Ok(Err(_closed)) => Err(Stop::CallerGone),
                Err(_) => Err(Stop::Stalled(self.settings.stall)),
            },
            () = self.shutdown.cancelled() => Err(Stop::Shutdown),
        }
    }
}

/// The caller's end of the channel.
fn body(pieces: mpsc::Receiver<Piece>, read: Arc<AtomicU64>) -> BoxStream<'static, Result<Bytes, StreamAborted>> {
    let next = move |pieces: Option<mpsc::Receiver<Piece>>| {
        let read = Arc::clone(&read);
        async move {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Piece::Bytes(bytes)) => {
                    read.fetch_add(bytes.len() as u64, Ordering::Release);
                    Some((Ok(bytes), Some(pieces)))
                }
                Some(Piece::End) => None,
                None => Some((Err(StreamAborted), None)),
            }
        }
    };
    stream::unfold(Some(pieces), next).boxed()
}
