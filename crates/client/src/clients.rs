//! `Clients`: creates the `DbtClient` of each request.

use std::fmt;
use std::sync::{Arc, OnceLock};

use model::{Clock, RequestStamp};
use prometheus_client::registry::Registry;
use provider::DbtProvider;
use storage::{Database, LogQueue};

use crate::health::{HealthChecks, HealthParts};
use crate::key_cache::{KeyCache, KeyCacheSettings};
use crate::listening::Hub;
use crate::shared::Shared;
use crate::watching::Watcher;
use crate::{
    Check, ClientError, ClientSettings, ClientShares, DbtClient, HealthSignals, KeySource, Records, Upstreams,
};

/// The parts of [`Clients`].
pub struct ClientParts {
    /// Looks up keys.
    pub keys: Arc<dyn KeySource>,
    /// The credentials of all companies.
    pub upstreams: Upstreams,
    /// Sends requests to dbt Cloud.
    pub provider: DbtProvider,
    /// The database.
    pub database: Database,
    /// The queue of the request log.
    pub log: LogQueue,
    /// What the tasks of the process report for the readiness checks.
    pub signals: HealthSignals,
    /// The gateway's own records.
    pub records: Records,
    /// The resources of requests for these records.
    pub shares: ClientShares,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of all layers.
    pub metrics: Arc<Registry>,
}

/// Creates a [`DbtClient`] for each authenticated request. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    shared: Arc<Shared>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl Clients {
    /// Connects the parts.
    pub fn new(parts: ClientParts, settings: ClientSettings) -> Self {
        let ClientParts {
            keys,
            upstreams,
            provider,
            database,
            log,
            signals,
            records,
            shares,
            clock,
            metrics,
        } = parts;
        let cache = KeyCacheSettings {
            ttl: settings.key_max_age,
            capacity: settings.key_capacity,
            limit: settings.look_up_limit,
        };
        let keys = KeyCache::new(keys, Arc::clone(&clock), cache);
        let health = HealthParts {
            database,
            credentials: records.credentials.clone(),
            log: log.clone(),
            provider: provider.clone(),
            signals,
            clock: Arc::clone(&clock),
        };
        let (events, watches) = (records.run_events.clone(), records.run_watches.clone());
        let hub = Hub::new(events, watches.clone(), records.api_keys.clone(), settings.event_poll);
        Self {
            shared: Arc::new(Shared {
                keys,
                upstreams,
                provider,
                health: HealthChecks::new(health),
                log,
                records,
                watcher: Watcher::new(watches, settings.watch),
                hub: Arc::new(hub),
                clock,
                metrics,
                settings,
                shares,
            }),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The client of one request, for the caller with the key `presented`.
    ///
    /// # Errors
    /// [`ClientError::Unauthenticated`], [`ClientError::KeysUnavailable`].
    pub async fn authenticate(&self, stamp: RequestStamp, presented: &str) -> Result<DbtClient, ClientError> {
        let caller = self.shared.keys.authenticate(presented).await?;
        Ok(DbtClient {
            caller,
            stamp,
            credential: None,
            connection: OnceLock::new(),
            shared: Arc::clone(&self.shared),
        })
    }

    /// Stores which keys were used since the last call, to the minute.
    ///
    /// # Errors
    /// [`ClientError::Records`]; the next call then stores these keys too.
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

    /// Waits for the next read of events, then sends the new ones to their followers.
    ///
    /// # Errors
    /// [`ClientError::Records`]; the next call sends what this one did not.
    pub async fn deliver_events(&self) -> Result<(), ClientError> {
        Ok(self.shared.hub.deliver().await?)
    }

    /// Ends all waits and event streams: the process stops. Their callers connect again elsewhere.
    pub fn end_lasting_requests(&self) {
        self.shared.hub.close();
    }

    /// The readiness checks, at most half a second old.
    pub async fn health(&self) -> Arc<[Check]> {
        self.shared.health.get().await
    }
}
