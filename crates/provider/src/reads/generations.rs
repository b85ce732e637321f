//! How often an account was changed.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use model::Upstream;

/// Accounts that share a slot only lose fresh answers to each other's changes.
const SLOTS: usize = 4096;

/// A count for each account, in memory of a fixed size.
#[derive(Debug)]
pub(super) struct Generations {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn of(&self, to: &Upstream) -> u64 {
        self.slot(to).load(Ordering::Acquire)
    }

    pub(super) fn advance(&self, to: &Upstream) {
        self.slot(to).fetch_add(1, Ordering::AcqRel);
    }

    /// One for all APIs: what is changed by one shows in the others.
    fn slot(&self, to: &Upstream) -> &AtomicU64 {
        let hash = self.hasher.hash_one((to.admin_url.authority(), to.account_id));
        let slot = usize::try_from(hash % SLOTS as u64).unwrap_or(0);
        &self.slots[slot]
    }
}
