//! What all requests of the process share.

use std::sync::Arc;

use model::Clock;
use prometheus_client::registry::Registry;
use provider::DbtProvider;
use storage::{ApiKeys, Credentials, LogQueue, RequestLogs, RunEvents, RunWatches, TriggerLedger};

use crate::health::HealthChecks;
use crate::key_cache::KeyCache;
use crate::listening::Hub;
use crate::watching::Watcher;
use crate::{ClientSettings, ClientShares, Upstreams};

/// The repositories of the gateway's own records.
#[derive(Clone)]
pub struct Records {
    /// The credentials of all companies.
    pub credentials: Credentials,
    /// Callers' keys.
    pub api_keys: ApiKeys,
    /// The request log.
    pub request_logs: RequestLogs,
    /// Watched runs and waits.
    pub run_watches: RunWatches,
    /// The events of runs.
    pub run_events: RunEvents,
    /// Attempts to start a run.
    pub triggers: Arc<dyn TriggerLedger>,
}

pub(crate) struct Shared {
    pub(crate) keys: KeyCache,
    pub(crate) upstreams: Upstreams,
    pub(crate) provider: DbtProvider,
    pub(crate) health: HealthChecks,
    /// For rows of changes that do not depend on the log.
    pub(crate) log: LogQueue,
    pub(crate) records: Records,
    pub(crate) watcher: Watcher,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Registry>,
    pub(crate) settings: ClientSettings,
    pub(crate) shares: ClientShares,
}
