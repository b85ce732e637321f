//! What a request holds until its answer is written, such as its share of the memory.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A place for guards of any type. All clones share it; the guards are dropped with the last one.
#[derive(Clone, Default)]
pub struct Held(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl Held {
    /// Keeps the guard.
    pub fn keep(&self, guard: impl Any + Send) {
        self.guards().push(Box::new(guard));
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.guards().is_empty()
    }

    fn guards(&self) -> MutexGuard<'_, Vec<Box<dyn Any + Send>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.guards().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_dropped_with_the_last_clone() {
        let (guard, held) = (Arc::new(()), Held::default());
        let clone = held.clone();
        held.keep(Arc::clone(&guard));
        assert!(!clone.is_empty());
        drop(held);
        assert_eq!(Arc::strong_count(&guard), 2);
        drop(clone);
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}
