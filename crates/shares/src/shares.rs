//! A resource with its owners and its waiting requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::owner::Owner;
use crate::resource::Resource;
use crate::share::Share;
use crate::usage::{Full, Node};
use crate::waiters::Waiters;

/// A bounded resource. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    resource: Resource,
    capacity: u64,
    state: Mutex<State>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    usage: Node,
    waiters: Waiters,
}

/// How much of a resource is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The amount in use.
    pub used: u64,
    /// The most that may be in use.
    pub capacity: u64,
    /// Refusals since the start.
    pub refused: u64,
}

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

impl Shares {
    /// A resource of which nothing is used. `capacity` from 1.
    pub fn new(resource: Resource, capacity: u64) -> Self {
        Self(Arc::new(Inner {
            resource,
            capacity: capacity.max(1),
            state: Mutex::default(),
            refused: AtomicU64::new(0),
        }))
    }

    /// Takes an amount without waiting.
    ///
    /// # Errors
    /// [`Exhausted`]: the resource or a share of it is used up.
    pub fn try_take(&self, owner: &Owner, amount: u64) -> Result<Share, Exhausted> {
        self.0.grant(owner, amount)?;
        Ok(self.share(owner, amount))
    }

    /// Takes an amount, waiting for it at most `max_wait`. Earlier requests go first, except those above their own share.
    ///
    /// # Errors
    /// [`Exhausted`] after that time, and immediately for an amount above the capacity.
    pub async fn take(&self, owner: &Owner, amount: u64, max_wait: Duration) -> Result<Share, Exhausted> {
        let mut waiting = {
            let mut state = self.0.lock();
            let State { usage, waiters } = &mut *state;
            if amount > self.0.capacity {
                return Err(self.0.exhausted(Full::Capacity, owner));
            }
            if waiters.is_empty() && usage.grant(self.0.capacity, owner.labels(), amount).is_ok() {
                return Ok(self.share(owner, amount));
            }
            let granted = waiters.push(owner.clone(), amount);
            waiters.grant(self.0.capacity, usage);
            Waiting {
                shares: self,
                owner,
                amount,
                granted,
            }
        };
        match tokio::time::timeout(max_wait, &mut waiting.granted).await {
            Ok(_granted) => Ok(self.share(owner, amount)),
            Err(_elapsed) => waiting.leave().map(|()| self.share(owner, amount)),
        }
    }

    /// Takes an amount beyond every limit, for what exists already and cannot be refused.
    pub fn take_beyond(&self, owner: &Owner, amount: u64) -> Share {
        self.0.take_beyond(owner, amount);
        self.share(owner, amount)
    }

    /// What is shared.
    pub fn resource(&self) -> Resource {
        self.0.resource
    }

    /// How much is used.
    pub fn usage(&self) -> Usage {
        Usage {
            used: self.0.lock().usage.used(),
            capacity: self.0.capacity,
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    fn share(&self, owner: &Owner, amount: u64) -> Share {
        Share {
            inner: Arc::clone(&self.0),
            owner: owner.clone(),
            amount,
        }
    }
}

/// A request in the queue. Dropped, it leaves the queue.
struct Waiting<'a> {
    shares: &'a Shares,
    owner: &'a Owner,
    amount: u64,
    granted: oneshot::Receiver<()>,
}

impl Waiting<'_> {
    /// Leaves the queue, unless the amount was granted meanwhile.
    fn leave(&mut self) -> Result<(), Exhausted> {
        let inner = &self.shares.0;
        let state = inner.lock();
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            return Ok(());
        }
        let full = state.usage.room(inner.capacity, self.owner.labels(), self.amount);
        Err(inner.exhausted(full.err().unwrap_or(Full::Capacity), self.owner))
    }
}

impl Drop for Waiting<'_> {
    /// A request that is cancelled may hold a granted amount, and later ones may have waited behind it only.
    fn drop(&mut self) {
        let inner = &self.shares.0;
        let mut state = inner.lock();
        let State { usage, waiters } = &mut *state;
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            usage.subtract(self.owner.labels(), self.amount);
        }
        waiters.grant(inner.capacity, usage);
    }
}

impl Inner {
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

    fn exhausted(&self, full: Full, owner: &Owner) -> Exhausted {
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
