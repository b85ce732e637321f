//! How often an account was changed.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use model::{ClientType, Upstream};

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

    pub(super) fn of(&self, to: &Upstream, api: ClientType) -> u64 {
        self.slot(to, api).load(Ordering::Acquire)
    }

    pub(super) fn advance(&self, to: &Upstream, api: ClientType) {
        self.slot(to, api).fetch_add(1, Ordering::AcqRel);
    }

    fn slot(&self, to: &Upstream, _api: ClientType) -> &AtomicU64 {
        // A job that is changed shows in the Discovery API too.
        let hash = self.hasher.hash_one((to.admin_url.authority(), to.account_id));
        let slot = usize::try_from(hash % SLOTS as u64).unwrap_or(0);
        &self.slots[slot]
    }
}
