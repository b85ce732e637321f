//! A part of a resource, given back when it is dropped.

use std::sync::Arc;

use crate::ledger::{Exhausted, Ledger};
use crate::owner::Owner;

/// A part of a resource. Dropped, it is free again.
#[derive(Debug)]
pub struct Share {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) owner: Owner,
    pub(crate) amount: u64,
}

impl Share {
    /// The owner.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// How much is held.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Takes more, without waiting.
    ///
    /// # Errors
    /// [`Exhausted`]: the share stays as it is.
    pub fn try_grow(&mut self, more: u64) -> Result<(), Exhausted> {
        self.ledger.grant(&self.owner, more)?;
        self.amount += more;
        Ok(())
    }

    /// Adds another share of the same owner and resource.
    pub fn absorb(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.ledger, &other.ledger) && self.owner == other.owner);
        self.amount = self.amount.saturating_add(std::mem::take(&mut other.amount));
    }

    /// Splits a part off; `None` if less than `amount` is held.
    pub fn split(&mut self, amount: u64) -> Option<Self> {
        self.amount = self.amount.checked_sub(amount)?;
        Some(Self {
            ledger: Arc::clone(&self.ledger),
            owner: self.owner.clone(),
            amount,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.ledger.give_back(&self.owner, self.amount);
        }
    }
}
