//! Ids: rising and above 32 bits, as those of dbt Cloud since June 2024.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Shared by all accounts of one simulator, since dbt's ids are unique across accounts.
#[derive(Clone, Debug)]
pub(crate) struct Ids(Arc<AtomicI64>);

impl Ids {
    pub(crate) fn starting_at(first: i64) -> Self {
        Self(Arc::new(AtomicI64::new(first)))
    }

    pub(crate) fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes later ids larger than an id of the seed.
    pub(crate) fn seen(&self, id: i64) {
        self.0.fetch_max(id + 1, Ordering::Relaxed);
    }
}
