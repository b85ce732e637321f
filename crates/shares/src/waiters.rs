//! Requests that wait for a share, in the order of their arrival.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::owner::Owner;
use crate::usage::{Full, Node};

/// One waiting request.
#[derive(Debug)]
struct Waiter {
    owner: Owner,
    amount: u64,
    granted: oneshot::Sender<()>,
}

/// The waiting requests of one resource.
#[derive(Debug, Default)]
pub(crate) struct Waiters(VecDeque<Waiter>);

impl Waiters {
    /// Whether a new request has to queue behind an earlier one that waits for the whole resource.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, owner: Owner, amount: u64) -> oneshot::Receiver<()> {
        let (granted, receiver) = oneshot::channel();
        self.0.push_back(Waiter { owner, amount, granted });
        receiver
    }

    /// Grants in the order of arrival. Those above their own share are passed over; the first one for which the resource
    /// itself has no room ends it, so that small amounts do not overtake a large one for ever.
    pub(crate) fn grant(&mut self, capacity: u64, usage: &mut Node) {
        self.0.retain(|waiter| !waiter.granted.is_closed());
        let mut index = 0;
        while let Some(waiter) = self.0.get(index) {
            match usage.grant(capacity, waiter.owner.labels(), waiter.amount) {
                Err(Full::Capacity) => return,
                Err(Full::Level(_)) => index += 1,
                Ok(()) => {
                    let Some(waiter) = self.0.remove(index) else { return };
                    if waiter.granted.send(()).is_err() {
                        usage.subtract(waiter.owner.labels(), waiter.amount);
                    }
                }
            }
        }
    }
}
