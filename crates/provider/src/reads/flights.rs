//! Identical reads in flight.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dbt_api::ApiError;
use futures::FutureExt as _;
use futures::future::Shared;
use model::{ServedFrom, Source};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::answer::WholeAnswer;
use super::key::ReadKey;

/// What a flight brings to those who joined it; `None` where each must ask for itself: the answer is too long to share.
type Brought = Option<Result<Arc<WholeAnswer>, ApiError>>;

type Reads = HashMap<ReadKey, (Flight, Uuid)>;

/// The reads in flight. Each is bounded by the deadline of its exchange.
#[derive(Debug, Default)]
pub(super) struct Flights(Arc<Mutex<Reads>>);

/// The part of a request in a read.
pub(crate) enum Joined {
    /// It makes the exchange.
    First(Landing),
    /// Another request makes it, which is the source of the answer.
    Other(Flight, Source),
}

/// A read that another request makes.
#[derive(Debug, Clone)]
pub(crate) struct Flight(Shared<oneshot::Receiver<Brought>>);

impl Flight {
    /// The result of the exchange; `None` if this request must ask for itself.
    pub(crate) async fn landed(self) -> Brought {
        // Without a sender the exchange ended without a result.
        self.0.await.ok().flatten()
    }
}

impl Flights {
    /// Joins a read in flight, else begins one for that request.
    pub(super) fn join(&self, key: ReadKey, request_uuid: Uuid) -> Joined {
        match locked(&self.0).entry(key) {
            Entry::Occupied(known) => {
                let (flight, first) = known.get().clone();
                let source = Source {
                    from: ServedFrom::Coalesced,
                    age: Duration::ZERO,
                    request_uuid: Some(first),
                };
                Joined::Other(flight, source)
            }
            Entry::Vacant(free) => {
                let (sender, receiver) = oneshot::channel();
                free.insert((Flight(receiver.shared()), request_uuid));
                Joined::First(Landing {
                    key,
                    reads: Arc::clone(&self.0),
                    sender: Some(sender),
                })
            }
        }
    }
}

/// Ends a flight, also when it is dropped.
pub(crate) struct Landing {
    key: ReadKey,
    reads: Arc<Mutex<Reads>>,
    sender: Option<oneshot::Sender<Brought>>,
}

impl Landing {
    /// Ends the flight if nobody joined it, and returns whether it did.
    pub(crate) fn end_if_alone(&mut self) -> bool {
        let mut reads = locked(&self.reads);
        // The map has one; each who joined has another.
        let is_alone = reads
            .get(&self.key)
            .is_none_or(|(flight, _)| flight.0.strong_count() == Some(1));
        if is_alone {
            reads.remove(&self.key);
            self.sender = None;
        }
        is_alone
    }

    /// Gives the result to those who joined.
    pub(crate) fn land(mut self, brought: Brought) {
        locked(&self.reads).remove(&self.key);
        if let Some(sender) = self.sender.take() {
            // Fails if nobody joined.
            let _ = sender.send(brought);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.sender.is_some() {
            locked(&self.reads).remove(&self.key);
        }
    }
}

fn locked(reads: &Mutex<Reads>) -> MutexGuard<'_, Reads> {
    reads.lock().unwrap_or_else(PoisonError::into_inner)
}
