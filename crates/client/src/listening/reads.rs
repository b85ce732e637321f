//! The state of watches, read for many callers with one statement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::{RunWatches, StorageError, WatchState};
use tokio::sync::oneshot;

/// How long a read waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// The largest number of watches in one statement.
const BATCH: usize = 1000;

type Waiting = HashMap<i64, Vec<oneshot::Sender<WatchState>>>;

/// Callers that want the state of a watch now: one statement reads for all that come within a moment.
#[derive(Debug, Default)]
pub(super) struct StateReads(Mutex<Waiting>);

impl StateReads {
    /// The state of that watch; `None` where it could not be read, or is gone.
    pub(super) async fn read(self: &Arc<Self>, watches: &RunWatches, id: i64) -> Option<WatchState> {
        let (send, state) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting();
            let is_first = waiting.is_empty();
            waiting.entry(id).or_default().push(send);
            is_first
        };
        if is_first {
            let (reads, watches) = (Arc::clone(self), watches.clone());
            // In a task: the first caller may leave.
            tokio::spawn(async move {
                tokio::time::sleep(GATHER).await;
                let waiting = std::mem::take(&mut *reads.waiting());
                if let Err(error) = answer(&watches, waiting).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the state of watched runs cannot be read"
                    );
                }
            });
        }
        state.await.ok()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(watches: &RunWatches, mut waiting: Waiting) -> Result<(), StorageError> {
    let ids: Vec<i64> = waiting.keys().copied().collect();
    for ids in ids.chunks(BATCH) {
        for state in watches.states(ids).await? {
            for caller in waiting.remove(&state.id).into_iter().flatten() {
                // Fails if the caller has left.
                let _ = caller.send(state.clone());
            }
        }
    }
    Ok(())
}
