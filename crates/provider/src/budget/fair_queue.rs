//! Waiting requests of one class: each key in turn gets one, however many each has.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use shares::Owner;

#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// Whose turn it is: the owners that have waiting requests, each once.
    turns: VecDeque<Owner>,
    /// Never an empty queue.
    queues: HashMap<Owner, VecDeque<(u64, T)>>,
    len: usize,
    next_id: u64,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            turns: VecDeque::new(),
            queues: HashMap::new(),
            len: 0,
            next_id: 0,
        }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many requests of this owner wait.
    pub(super) fn len_of(&self, owner: &Owner) -> usize {
        self.queues.get(owner).map_or(0, VecDeque::len)
    }

    /// Adds a request. Returns its id.
    pub(super) fn push(&mut self, owner: &Owner, waiter: T) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.len += 1;
        match self.queues.entry(owner.clone()) {
            Entry::Occupied(queue) => queue.into_mut().push_back((id, waiter)),
            Entry::Vacant(queue) => {
                queue.insert([(id, waiter)].into());
                self.turns.push_back(owner.clone());
            }
        }
        id
    }

    /// The first request of the owner whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let owner = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&owner)?;
        let (_, waiter) = queue.pop_front()?;
        self.len -= 1;
        if queue.is_empty() {
            self.queues.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        Some(waiter)
    }

    /// Removes a request that no longer waits. `false` if it was taken already.
    pub(super) fn remove(&mut self, owner: &Owner, id: u64) -> bool {
        let Some(queue) = self.queues.get_mut(owner) else {
            return false;
        };
        let Ok(index) = queue.binary_search_by_key(&id, |(id, _)| *id) else {
            return false;
        };
        queue.remove(index);
        self.len -= 1;
        if queue.is_empty() {
            self.queues.remove(owner);
            self.turns.retain(|each| each != owner);
        }
        true
    }

    /// Removes all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        let queues = std::mem::take(&mut self.queues);
        self.turns.clear();
        self.len = 0;
        queues.into_values().flatten().map(|(_, waiter)| waiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_turns_whatever_they_have_queued() {
        let (busy, quiet) = (Owner::key(1, 1), Owner::key(1, 2));
        let mut queue = FairQueue::default();
        for number in 0..100 {
            queue.push(&busy, ("busy", number));
        }
        queue.push(&quiet, ("quiet", 0));
        queue.push(&quiet, ("quiet", 1));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).take(5).collect();
        let expected = [("busy", 0), ("quiet", 0), ("busy", 1), ("quiet", 1), ("busy", 2)];
        assert_eq!(order, expected);
        assert_eq!((queue.len(), queue.len_of(&busy), queue.len_of(&quiet)), (97, 97, 0));
    }

    #[test]
    fn a_request_that_left_takes_no_turn_and_no_memory() {
        let (first, second) = (Owner::key(1, 1), Owner::key(1, 2));
        let mut queue = FairQueue::default();
        let left = queue.push(&first, 1);
        queue.push(&second, 2);
        assert!(queue.remove(&first, left));
        assert!(!queue.remove(&first, left));
        assert_eq!((queue.len(), queue.turns.len(), queue.queues.len()), (1, 1, 1));
        assert_eq!(queue.pop(), Some(2));
        assert_eq!(queue.pop(), None);
        assert!(queue.turns.is_empty() && queue.queues.is_empty());
    }
}
