//! The use of a resource by its owners, and the requests that wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::owner::Owner;
use crate::resource::Resource;
use crate::usage::{Full, Node};
use crate::waiters::Waiters;

/// A share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Exhausted {
    /// The resource.
    pub resource: Resource,
    /// Whose share: `process`, `company`, `key` or `host`.
    pub whose: &'static str,
}

impl Exhausted {
    fn text(&self) -> String {
        let (what, setting) = (self.resource.what, self.resource.setting);
        match self.whose {
            "process" => format!("all {what} of this process are in use ({setting})"),
            whose => format!("the share of this {whose} in the {what} is used up ({setting})"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Ledger {
    resource: Resource,
    pub(crate) capacity: u64,
    state: Mutex<State>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) usage: Node,
    pub(crate) waiters: Waiters,
}

impl Ledger {
    pub(crate) fn new(resource: Resource, capacity: u64) -> Self {
        Self {
            resource,
            capacity: capacity.max(1),
            state: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    pub(crate) fn resource(&self) -> Resource {
        self.resource
    }

    /// Refusals since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn grant(&self, owner: &Owner, amount: u64) -> Result<(), Exhausted> {
        let granted = self.lock().usage.grant(self.capacity, owner.labels(), amount);
        granted.map_err(|full| self.exhausted(full, owner))
    }

    pub(crate) fn take_beyond(&self, owner: &Owner, amount: u64) {
        self.lock().usage.add(owner.labels(), amount);
    }

    pub(crate) fn give_back(&self, owner: &Owner, amount: u64) {
        let mut state = self.lock();
        let State { usage, waiters } = &mut *state;
        usage.subtract(owner.labels(), amount);
        if !waiters.is_empty() {
            waiters.grant(self.capacity, usage);
        }
    }

    pub(crate) fn exhausted(&self, full: Full, owner: &Owner) -> Exhausted {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Exhausted {
            resource: self.resource,
            whose: match full {
                Full::Capacity => "process",
                Full::Level(level) => owner.labels()[level].level(),
            },
        }
    }

    /// No code panics while it holds the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
