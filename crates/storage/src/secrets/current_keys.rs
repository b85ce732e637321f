//! The encryption keys of the process at the moment: they may be replaced while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use super::key_ring::KeyRing;

/// The current key ring, if there is one. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct CurrentKeys(Arc<RwLock<Option<Arc<KeyRing>>>>);

impl CurrentKeys {
    /// The ring of this moment.
    pub fn get(&self) -> Option<Arc<KeyRing>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the ring. Work in progress continues with the previous one.
    pub fn replace(&self, ring: Arc<KeyRing>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(ring);
    }

    /// The ids of the keys.
    pub fn ids(&self) -> Vec<String> {
        self.get()
            .iter()
            .flat_map(|ring| ring.ids().map(str::to_owned))
            .collect()
    }
}

impl From<Option<Arc<KeyRing>>> for CurrentKeys {
    fn from(ring: Option<Arc<KeyRing>>) -> Self {
        Self(Arc::new(RwLock::new(ring)))
    }
}
