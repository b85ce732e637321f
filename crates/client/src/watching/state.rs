//! What the watching of a process shares.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::{RunWatches, StreamKey, WatchGroup};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::schedule::WatchSettings;

/// The watching of this process.
pub(crate) struct Watcher {
    pub(super) watches: RunWatches,
    pub(super) settings: WatchSettings,
    /// What is looked at, or cancelled, now.
    busy: Mutex<BTreeSet<Busy>>,
    pub(super) tasks: TaskTracker,
}

/// Work in progress, of which there is one of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Busy {
    Watches(WatchGroup),
    NewRuns(StreamKey),
    Cancel(Uuid),
}

impl Busy {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Watches(_) => "reading watched runs",
            Self::NewRuns(_) => "looking for new runs",
            Self::Cancel(_) => "cancelling a run that is no longer waited for",
        }
    }
}

impl Watcher {
    pub(crate) fn new(watches: RunWatches, settings: WatchSettings) -> Self {
        Self {
            watches,
            settings,
            busy: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn busy(&self) -> MutexGuard<'_, BTreeSet<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
