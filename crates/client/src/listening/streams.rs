//! The accounts that a caller in this process follows.

use std::collections::HashMap;
use std::sync::Arc;

use model::RunId;
use storage::{EventKind, RunEvent, StreamPosition};
use tokio::sync::{broadcast, watch};

use super::live_event::LiveEvent;

/// Events that a slow listener may be behind before it is cut off.
const CAPACITY: usize = 1024;

/// The end of a run that a caller waits for: the run as JSON.
pub(super) type RunEnd = Option<Arc<str>>;

/// A followed account.
#[derive(Debug)]
pub(super) struct Stream {
    /// The newest event that was sent to the listeners.
    pub(super) last_seq: i64,
    /// The number of followers.
    pub(super) followers: usize,
    live: broadcast::Sender<Arc<LiveEvent>>,
    waits: HashMap<RunId, watch::Sender<RunEnd>>,
}

impl Stream {
    pub(super) fn new(position: StreamPosition) -> Self {
        Self {
            last_seq: position.last_seq,
            followers: 0,
            live: broadcast::Sender::new(CAPACITY),
            waits: HashMap::new(),
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.live.subscribe()
    }

    /// Resolves once the run has ended.
    pub(super) fn wait(&mut self, run: RunId) -> watch::Receiver<RunEnd> {
        self.waits
            .entry(run)
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe()
    }

    /// Forgets the wait for a run that no caller waits for any more.
    pub(super) fn forget(&mut self, run: RunId) {
        if self.waits.get(&run).is_some_and(|sender| sender.receiver_count() == 0) {
            self.waits.remove(&run);
        }
    }

    /// Sends an event that follows all earlier ones.
    pub(super) fn send(&mut self, event: RunEvent) {
        self.last_seq = event.seq;
        if matches!(event.event.kind, EventKind::Status | EventKind::Ended)
            && self.waits.contains_key(&event.event.run_id)
            && let Some(end) = ended_run(&event)
            && let Some(sender) = self.waits.remove(&event.event.run_id)
        {
            sender.send_replace(Some(end));
        }
        if self.live.receiver_count() > 0 {
            // Fails only without a receiver.
            let _ = self.live.send(Arc::new(LiveEvent::new(event)));
        }
    }
}

/// The run in the event, if it has ended.
fn ended_run(event: &RunEvent) -> RunEnd {
    #[derive(serde::Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        run: Option<&'a serde_json::value::RawValue>,
    }
    let run = serde_json::from_str::<Data<'_>>(&event.event.data).ok()?.run?;
    let is_over = serde_json::from_str::<model::Run>(run.get())
        .ok()?
        .status
        .is_some_and(model::RunStatus::is_terminal);
    is_over.then(|| run.get().into())
}
