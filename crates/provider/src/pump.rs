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
use crate::bracket::RequestScope;

/// A streamed body that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub struct StreamAborted;

enum Piece {
    Bytes(Bytes),
    /// The body is whole. Without it the end of the channel is no end of the body.
    End,
}

/// Why no more is piped.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("the caller has gone")]
    CallerGone,
    #[error("the caller took nothing for {0:?}")]
    Stalled(std::time::Duration),
    #[error(transparent)]
    Broke(#[from] ApiError),
    #[error("the gateway stopped")]
    Cut,
}

pub(crate) struct Pump {
    bracket: RequestScope,
    /// How the request ended when all has gone well.
    ended: Outcome,
    effect: Effect,
    pieces: mpsc::Sender<Piece>,
    /// How many bytes the other end has taken, and how many dbt Cloud has declared. Whoever has all that was declared
    /// may leave without waiting for the end.
    taken: Arc<AtomicU64>,
    declared: Option<u64>,
    settings: StreamSettings,
    cut: CancellationToken,
}

impl Pump {
    /// The pump, and the body that comes out of it.
    pub(crate) fn new(
        bracket: RequestScope,
        ended: Outcome,
        effect: Effect,
        declared: Option<u64>,
        settings: StreamSettings,
        cut: CancellationToken,
    ) -> (Self, BoxStream<'static, Result<Bytes, StreamAborted>>) {
        let (pieces, other_end) = mpsc::channel(settings.buffer_pieces);
        let taken = Arc::new(AtomicU64::new(0));
        let pump = Self {
            bracket,
            ended,
            effect,
            pieces,
            taken: Arc::clone(&taken),
            declared,
            settings,
            cut,
        };
        (pump, body(other_end, taken))
    }

    /// Pipes what was read already and the rest, and closes the row.
    pub(crate) async fn run(self, begun: Vec<Bytes>, mut rest: ApiBody) {
        let stopped = self.pipe(begun, &mut rest).await;
        let Self {
            bracket,
            ended,
            effect,
            pieces,
            ..
        } = self;
        let (outcome, error) = match &stopped {
            Ok(()) => (ended, None),
            // dbt Cloud has done what was asked, whoever is there to read of it.
            Err(Stop::CallerGone | Stop::Stalled(_)) if effect == Effect::Change => (ended, None),
            Err(Stop::CallerGone) => (Outcome::CallerGone, None),
            Err(stop @ Stop::Stalled(_)) => (Outcome::CallerGone, Some(stop)),
            Err(stop @ (Stop::Broke(_) | Stop::Cut)) => (Outcome::Truncated, Some(stop)),
        };
        // In the queue; nobody waits for its commit.
        drop(bracket.end_as(outcome, error.map(|stop| stop as &dyn std::error::Error)));
        if stopped.is_ok() {
            // There is room, or nobody to read it.
            let _ = pieces.try_send(Piece::End);
        }
    }

    async fn pipe(&self, begun: Vec<Bytes>, rest: &mut ApiBody) -> Result<(), Stop> {
        for piece in begun {
            self.pass_on(piece).await?;
        }
        loop {
            let next = tokio::select! {
                next = rest.next() => next,
                () = self.pieces.closed() => return self.left(),
                () = self.cut.cancelled() => return Err(Stop::Cut),
            };
            match next {
                Some(piece) => self.pass_on(piece?).await?,
                None => break,
            }
        }
        let all_taken = self.pieces.reserve_many(self.pieces.max_capacity());
        self.until_taken(all_taken).await.map(drop).or_else(|stop| match stop {
            Stop::CallerGone => self.left(),
            stop => Err(stop),
        })
    }

    /// The other end has left: with everything, or without.
    fn left(&self) -> Result<(), Stop> {
        let has_all = self.declared == Some(self.taken.load(Ordering::Acquire));
        if has_all { Ok(()) } else { Err(Stop::CallerGone) }
    }

    async fn pass_on(&self, piece: Bytes) -> Result<(), Stop> {
        self.bracket.exchanges().came(piece.len() as u64);
        self.until_taken(self.pieces.send(Piece::Bytes(piece))).await
    }

    /// Waits for the caller to take something, within the patience for a stalled one.
    async fn until_taken<T, E>(&self, taken: impl Future<Output = Result<T, E>>) -> Result<T, Stop> {
        tokio::select! {
            waited = timeout(self.settings.stall, taken) => match waited {
                Ok(Ok(taken)) => Ok(taken),
                Ok(Err(_closed)) => Err(Stop::CallerGone),
                Err(_) => Err(Stop::Stalled(self.settings.stall)),
            },
            () = self.cut.cancelled() => Err(Stop::Cut),
        }
    }
}

/// The other end. When the pump is gone without a word the body is not whole.
fn body(pieces: mpsc::Receiver<Piece>, taken: Arc<AtomicU64>) -> BoxStream<'static, Result<Bytes, StreamAborted>> {
    let next = move |pieces: Option<mpsc::Receiver<Piece>>| {
        let taken = Arc::clone(&taken);
        async move {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Piece::Bytes(bytes)) => {
                    taken.fetch_add(bytes.len() as u64, Ordering::Release);
                    Some((Ok(bytes), Some(pieces)))
                }
                Some(Piece::End) => None,
                None => Some((Err(StreamAborted), None)),
            }
        }
    };
    stream::unfold(Some(pieces), next).boxed()
}
