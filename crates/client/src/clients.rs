//! What the process has once: the keys, the credentials, the records and the provider, from which each request gets its
//! `DbtClient`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, RequestStamp};
use prometheus_client::registry::Registry;
use provider::DbtProvider;
use storage::{ApiKeys, Credentials, Database, RequestLogs};
use tokio::sync::{Mutex, Semaphore};

use crate::health::LastLook;
use crate::keys::Keys;
use crate::{AccessRules, ClientError, DbtClient, KeySource, Upstreams};

/// The settings of this floor.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings {
    /// Whether every change is refused.
    pub read_only: bool,
    /// Whether the relay lets through what makes or rotates dbt tokens, for admins.
    pub allow_token_minting: bool,
    /// How long a key is believed after it was looked up; at most 5 s, so that a revocation holds everywhere by then.
    pub key_max_age: Duration,
    /// How many keys are kept at once.
    pub key_capacity: u64,
    /// Which access URLs may come in through the API.
    pub access_rules: AccessRules,
    /// At most so many exports of the request log at once, from 1.
    pub max_exports: usize,
    /// How long the reader of an export may take for a mebibyte before it is cut off.
    pub export_stall: Duration,
}

/// What the floor is put together from.
pub struct ClientParts {
    /// Where keys are looked up.
    pub keys: Arc<dyn KeySource>,
    /// The credentials, ready for use.
    pub upstreams: Upstreams,
    /// The way to dbt Cloud.
    pub provider: DbtProvider,
    /// Where everything is kept.
    pub database: Database,
    /// What callers may read and change of ours.
    pub records: Records,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where every floor counts.
    pub metrics: Arc<Registry>,
}

/// Where the gateway's own records are kept.
#[derive(Debug, Clone)]
pub struct Records {
    /// Credentials of all companies.
    pub credentials: Credentials,
    /// Callers' keys.
    pub api_keys: ApiKeys,
    /// What was asked, and what came of it.
    pub request_logs: RequestLogs,
}

/// Makes a [`DbtClient`] for each authenticated request. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) keys: Keys,
    pub(crate) upstreams: Upstreams,
    pub(crate) provider: DbtProvider,
    pub(crate) database: Database,
    pub(crate) last_look: Mutex<Option<LastLook>>,
    pub(crate) records: Records,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Registry>,
    pub(crate) settings: ClientSettings,
    /// The places of exports.
    pub(crate) exports: Arc<Semaphore>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl Clients {
    /// Puts the floor together.
    pub fn new(parts: ClientParts, settings: ClientSettings) -> Self {
        let ClientParts {
            keys,
            upstreams,
            provider,
            database,
            records,
            clock,
            metrics,
        } = parts;
        let keys = Keys::new(keys, Arc::clone(&clock), settings.key_max_age, settings.key_capacity);
        Self {
            shared: Arc::new(Shared {
                keys,
                upstreams,
                provider,
                database,
                last_look: Mutex::default(),
                records,
                clock,
                metrics,
                settings,
                exports: Arc::new(Semaphore::new(settings.max_exports)),
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
            credential: None,
            shared: Arc::clone(&self.shared),
        })
    }

    /// Writes down which keys were used since the last time, to the minute.
    ///
    /// # Errors
    /// [`ClientError::Records`]; the keys are then written the next time.
    pub async fn record_key_use(&self) -> Result<(), ClientError> {
        let used = self.shared.keys.take_used();
        if used.is_empty() {
            return Ok(());
        }
        let written = self.shared.records.api_keys.touch(&used, self.shared.clock.now()).await;
        if written.is_err() {
            self.shared.keys.put_back(used);
        }
        Ok(written?)
    }
}
