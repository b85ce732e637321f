//! A resource with its owners and its waiting requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ledger::{Exhausted, Ledger, State};
use crate::owner::Owner;
use crate::resource::Resource;
use crate::share::Share;
use crate::usage::Full;

/// A bounded resource. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Ledger>);

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

impl Shares {
    /// A resource of which nothing is used. `capacity` from 1.
    pub fn new(resource: Resource, capacity: u64) -> Self {
        Self(Arc::new(Ledger::new(resource, capacity)))
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
        self.0.resource()
    }

    /// How much is used.
    pub fn usage(&self) -> Usage {
        Usage {
            used: self.0.lock().usage.used(),
            capacity: self.0.capacity,
            refused: self.0.refused(),
        }
    }

    fn share(&self, owner: &Owner, amount: u64) -> Share {
        Share {
            ledger: Arc::clone(&self.0),
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
        let ledger = &self.shares.0;
        let state = ledger.lock();
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            return Ok(());
        }
        let full = state.usage.room(ledger.capacity, self.owner.labels(), self.amount);
        Err(ledger.exhausted(full.err().unwrap_or(Full::Capacity), self.owner))
    }
}

impl Drop for Waiting<'_> {
    /// A request that is cancelled may hold a granted amount, and later ones may have waited behind it only.
    fn drop(&mut self) {
        let ledger = &self.shares.0;
        let mut state = ledger.lock();
        let State { usage, waiters } = &mut *state;
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            usage.subtract(self.owner.labels(), self.amount);
        }
        waiters.grant(ledger.capacity, usage);
    }
}

#[cfg(test)]
mod tests;
