//! What the process has once: the keys, the credentials and the provider, from which each request gets its `DbtClient`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, RequestStamp};
use provider::DbtProvider;

use crate::keys::Keys;
use crate::{ClientError, DbtClient, KeySource, Upstreams};

/// The settings of this floor.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings {
    /// Whether every change is refused.
    pub read_only: bool,
    /// How long a key is believed after it was looked up; at most 5 s, so that a revocation holds everywhere by then.
    pub key_max_age: Duration,
    /// How many keys are kept at once.
    pub key_capacity: u64,
}

/// Makes a [`DbtClient`] for each authenticated request. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) keys: Keys,
    pub(crate) upstreams: Upstreams,
    pub(crate) provider: DbtProvider,
    pub(crate) read_only: bool,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl Clients {
    /// Puts the floor together.
    pub fn new(
        keys: Arc<dyn KeySource>,
        upstreams: Upstreams,
        provider: DbtProvider,
        clock: Arc<dyn Clock>,
        settings: ClientSettings,
    ) -> Self {
        let keys = Keys::new(keys, clock, settings.key_max_age, settings.key_capacity);
        Self {
            shared: Arc::new(Shared {
                keys,
                upstreams,
                provider,
                read_only: settings.read_only,
            }),
        }
    }

    /// The client of the request with that stamp, for the caller who presents that key.
    ///
    /// # Errors
    /// [`ClientError::Unauthenticated`], [`ClientError::KeysUnavailable`].
    pub async fn authenticate(&self, stamp: RequestStamp, presented: &str) -> Result<DbtClient, ClientError> {
        let caller = self.shared.keys.authenticate(presented).await?;
        Ok(DbtClient {
            caller,
            stamp,
            shared: Arc::clone(&self.shared),
        })
    }

    /// Whether requests can be served: callers can be authenticated, and rows queued.
    pub async fn is_ready(&self) -> bool {
        let room = self.shared.provider.has_room();
        match self.shared.keys.ping().await {
            Ok(()) => room,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
                false
            }
        }
    }
}
