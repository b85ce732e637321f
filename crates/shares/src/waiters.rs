//! Requests that wait for a share, in the order of their arrival.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use tokio::sync::oneshot;

use crate::owner::Owner;
use crate::usage::{Full, Node};

/// One waiting request.
#[derive(Debug)]
struct Waiter {
    /// Its place in the order of arrival of all requests.
    arrival: u64,
    amount: u64,
    granted: oneshot::Sender<()>,
}

/// The waiting requests of one resource: a queue for each owner, so that a search for the next request costs a step for
/// each owner and not one for each request.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    arrivals: u64,
    /// The owners by the arrival of their first request.
    order: BTreeMap<u64, Owner>,
    /// Never an empty queue.
    queues: HashMap<Owner, VecDeque<Waiter>>,
}

impl Waiters {
    /// Whether a new request has to queue behind an earlier one that waits for the whole resource.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn push(&mut self, owner: Owner, amount: u64) -> oneshot::Receiver<()> {
        let (granted, receiver) = oneshot::channel();
        let arrival = self.arrivals;
        self.arrivals += 1;
        let waiter = Waiter {
            arrival,
            amount,
            granted,
        };
        match self.queues.entry(owner) {
            Entry::Occupied(queue) => queue.into_mut().push_back(waiter),
            Entry::Vacant(queue) => {
                self.order.insert(arrival, queue.key().clone());
                queue.insert([waiter].into());
            }
        }
        receiver
    }

    /// Grants in the order of arrival. Owners above their own share are passed over; the first request for which the
    /// resource itself has no room ends it, so that small amounts do not overtake a large one for ever.
    pub(crate) fn grant(&mut self, capacity: u64, usage: &mut Node) {
        let mut from = Bound::Unbounded;
        while let Some((&arrival, owner)) = self.order.range((from, Bound::Unbounded)).next() {
            from = Bound::Excluded(arrival);
            let Some(first) = self.queues.get(owner).and_then(VecDeque::front) else {
                return;
            };
            let waits = !first.granted.is_closed();
            if waits {
                match usage.grant(capacity, owner.labels(), first.amount) {
                    Ok(()) => {}
                    Err(Full::Level(_)) => continue,
                    Err(Full::Capacity) => return,
                }
            }
            let Some((owner, waiter)) = self.remove_first(arrival) else {
                return;
            };
            if waits && waiter.granted.send(()).is_err() {
                usage.subtract(owner.labels(), waiter.amount);
            }
        }
    }

    /// Removes the first request of the owner whose first request has this arrival.
    fn remove_first(&mut self, arrival: u64) -> Option<(Owner, Waiter)> {
        let owner = self.order.remove(&arrival)?;
        let queue = self.queues.get_mut(&owner)?;
        let waiter = queue.pop_front()?;
        match queue.front() {
            Some(next) => {
                self.order.insert(next.arrival, owner.clone());
            }
            None => {
                self.queues.remove(&owner);
            }
        }
        Some((owner, waiter))
    }
}
