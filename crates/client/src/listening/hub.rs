//! The hub: reads new events for all followers of this process, and records in the database what they follow.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{ApiKeyId, RunId};
use storage::{ApiKeys, RunEvents, RunWatches, StorageError, StreamKey, StreamPosition, WatchState};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::live_event::LiveEvent;
use super::reads::StateReads;
use super::streams::{RunEnd, Stream};

/// Events that are read with one statement.
const BATCH: i64 = 1000;
/// The pause between two renewals of what is followed.
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// For how long a renewal holds.
const RENEWED: Duration = Duration::from_mins(1);
/// The pause between two looks for keys that are no longer valid.
const CHECK_KEYS_EVERY: Duration = Duration::from_secs(2);

/// The live events of one process.
pub(crate) struct Hub {
    pub(super) events: RunEvents,
    pub(super) watches: RunWatches,
    keys: ApiKeys,
    /// The pause between two reads of new events.
    poll: Duration,
    reads: Arc<StateReads>,
    state: Mutex<State>,
    wake: Notify,
    /// Cancelled when the process stops: waits and streams end.
    pub(super) closing: CancellationToken,
}

#[derive(Default)]
struct State {
    streams: HashMap<i64, Stream>,
    /// Accounts whose new runs are wanted: with the credential, and how many want them.
    accounts: HashMap<i64, (StreamKey, String, usize)>,
    /// Watches whose steps and logs are wanted.
    detailed: HashMap<i64, usize>,
    /// Watches that are due now, since a wait for them ends soon.
    due: HashSet<i64>,
    keys: HashMap<ApiKeyId, KeyInUse>,
    renewed: Option<Instant>,
    checked: Option<Instant>,
}

struct KeyInUse {
    streams: usize,
    revoked: CancellationToken,
}

impl Hub {
    pub(crate) fn new(events: RunEvents, watches: RunWatches, keys: ApiKeys, poll: Duration) -> Self {
        Self {
            events,
            watches,
            keys,
            poll,
            reads: Arc::default(),
            state: Mutex::default(),
            wake: Notify::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Has new events read at once.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends all waits and streams.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Waits for the next read, reads the new events and sends them.
    pub(crate) async fn deliver(&self) -> Result<(), StorageError> {
        // Elapsed: it is time.
        let _ = timeout(self.poll, self.wake.notified()).await;
        self.flush_due().await?;
        self.renew().await?;
        self.check_keys().await?;
        loop {
            let positions = self.positions();
            if positions.is_empty() {
                return Ok(());
            }
            let events = self.events.newest(&positions, BATCH).await?;
            let is_all = i64::try_from(events.len()).is_ok_and(|count| count < BATCH);
            let mut state = self.state();
            for (stream, event) in events {
                if let Some(stream) = state.streams.get_mut(&stream)
                    && event.seq > stream.last_seq
                {
                    stream.send(event);
                }
            }
            if is_all {
                return Ok(());
            }
        }
    }

    /// Follows an account.
    pub(super) async fn follow(self: &Arc<Self>, key: &StreamKey) -> Result<Following, StorageError> {
        let position = self.events.position(key).await?;
        let mut state = self.state();
        let stream = state
            .streams
            .entry(position.id)
            .or_insert_with(|| Stream::new(position));
        stream.followers += 1;
        Ok(Following {
            newest: position.last_seq,
            stream: position.id,
            hub: Arc::clone(self),
        })
    }

    /// The state of a watch.
    pub(super) async fn watch_state(&self, id: i64) -> Option<WatchState> {
        self.reads.read(&self.watches, id).await
    }

    /// Makes a watch due with the next read.
    pub(super) fn look_now(&self, watch: i64) {
        self.state().due.insert(watch);
    }

    /// Counts a stream of a key; `None` if it has `max` already.
    pub(super) fn use_key(self: &Arc<Self>, key: ApiKeyId, max: usize) -> Option<KeyUse> {
        let mut state = self.state();
        let in_use = state.keys.entry(key).or_insert_with(|| KeyInUse {
            streams: 0,
            revoked: CancellationToken::new(),
        });
        if in_use.streams >= max {
            return None;
        }
        in_use.streams += 1;
        Some(KeyUse {
            key,
            revoked: in_use.revoked.clone(),
            hub: Arc::clone(self),
        })
    }

    /// Wants the steps and logs of a watched run.
    pub(super) fn want_details(self: &Arc<Self>, watch: i64) -> Wanted {
        *self.state().detailed.entry(watch).or_default() += 1;
        Wanted {
            hub: Arc::clone(self),
            what: What::Details(watch),
        }
    }

    /// Wants the new runs of an account.
    pub(super) async fn want_new_runs(
        self: &Arc<Self>,
        stream: i64,
        key: &StreamKey,
        credential: &str,
    ) -> Result<Wanted, StorageError> {
        self.events.listen(key, credential, RENEWED).await?;
        let mut state = self.state();
        let wanted = state
            .accounts
            .entry(stream)
            .or_insert_with(|| (key.clone(), credential.to_owned(), 0));
        wanted.2 += 1;
        Ok(Wanted {
            hub: Arc::clone(self),
            what: What::NewRuns(stream),
        })
    }

    async fn flush_due(&self) -> Result<(), StorageError> {
        let due: Vec<i64> = self.state().due.drain().collect();
        if due.is_empty() {
            return Ok(());
        }
        self.watches.look_now(&due).await
    }

    async fn renew(&self) -> Result<(), StorageError> {
        let (detailed, accounts) = {
            let mut state = self.state();
            if state.renewed.is_some_and(|last| last.elapsed() < RENEW_EVERY) {
                return Ok(());
            }
            state.renewed = Some(Instant::now());
            let detailed: Vec<i64> = state.detailed.keys().copied().collect();
            let accounts: Vec<(StreamKey, String)> = state
                .accounts
                .values()
                .map(|(key, credential, _)| (key.clone(), credential.clone()))
                .collect();
            (detailed, accounts)
        };
        if !detailed.is_empty() {
            self.watches.keep_detailed(&detailed, RENEWED).await?;
        }
        for (key, credential) in accounts {
            self.events.listen(&key, &credential, RENEWED).await?;
        }
        Ok(())
    }

    async fn check_keys(&self) -> Result<(), StorageError> {
        let keys: Vec<ApiKeyId> = {
            let mut state = self.state();
            if state.keys.is_empty() || state.checked.is_some_and(|last| last.elapsed() < CHECK_KEYS_EVERY) {
                return Ok(());
            }
            state.checked = Some(Instant::now());
            state.keys.keys().copied().collect()
        };
        let valid = self.keys.valid(&keys).await?;
        let mut state = self.state();
        for key in keys.iter().filter(|key| !valid.contains(key)) {
            if let Some(in_use) = state.keys.remove(key) {
                in_use.revoked.cancel();
            }
        }
        Ok(())
    }

    fn positions(&self) -> Vec<StreamPosition> {
        let state = self.state();
        let positions = state.streams.iter().map(|(id, stream)| StreamPosition {
            id: *id,
            last_seq: stream.last_seq,
        });
        positions.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A follower of an account.
pub(super) struct Following {
    /// The newest event when the follower came.
    pub(super) newest: i64,
    /// The stream's id.
    pub(super) stream: i64,
    hub: Arc<Hub>,
}

impl Following {
    /// The events that are sent from now on, and the number of the one before the first of them.
    pub(super) fn subscribe(&self) -> Option<(i64, broadcast::Receiver<Arc<LiveEvent>>)> {
        let state = self.hub.state();
        let stream = state.streams.get(&self.stream)?;
        Some((stream.last_seq, stream.subscribe()))
    }

    /// Resolves once the run has ended.
    pub(super) fn wait(&self, run: RunId) -> Option<RunWaiter> {
        let mut state = self.hub.state();
        let end = state.streams.get_mut(&self.stream)?.wait(run);
        Some(RunWaiter {
            end: Some(end),
            run,
            stream: self.stream,
            hub: Arc::clone(&self.hub),
        })
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if let Some(stream) = state.streams.get_mut(&self.stream) {
            stream.followers -= 1;
            if stream.followers == 0 {
                state.streams.remove(&self.stream);
            }
        }
    }
}

/// Waits for the end of a run.
pub(super) struct RunWaiter {
    end: Option<watch::Receiver<RunEnd>>,
    run: RunId,
    stream: i64,
    hub: Arc<Hub>,
}

impl RunWaiter {
    /// The run as JSON once it has ended; `None` where that is not known any more.
    pub(super) async fn ended(&mut self) -> RunEnd {
        let end = self.end.as_mut()?;
        end.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Drop for RunWaiter {
    fn drop(&mut self) {
        self.end = None;
        if let Some(stream) = self.hub.state().streams.get_mut(&self.stream) {
            stream.forget(self.run);
        }
    }
}

/// A stream of a key.
pub(super) struct KeyUse {
    key: ApiKeyId,
    /// Cancelled when the key is not valid any more.
    pub(super) revoked: CancellationToken,
    hub: Arc<Hub>,
}

impl Drop for KeyUse {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if let Some(in_use) = state.keys.get_mut(&self.key) {
            in_use.streams -= 1;
            if in_use.streams == 0 {
                state.keys.remove(&self.key);
            }
        }
    }
}

/// What a follower wants beside the events that are written anyway.
pub(super) struct Wanted {
    hub: Arc<Hub>,
    what: What,
}

enum What {
    Details(i64),
    NewRuns(i64),
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        match self.what {
            What::Details(watch) => {
                if let Some(count) = state.detailed.get_mut(&watch) {
                    *count -= 1;
                    if *count == 0 {
                        state.detailed.remove(&watch);
                    }
                }
            }
            What::NewRuns(stream) => {
                if let Some((_, _, count)) = state.accounts.get_mut(&stream) {
                    *count -= 1;
                    if *count == 0 {
                        state.accounts.remove(&stream);
                    }
                }
            }
        }
    }
}
