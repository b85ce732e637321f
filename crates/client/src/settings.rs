//! The settings of the client layer.

use std::time::Duration;

use crate::{AccessRules, WatchSettings};

/// The settings of the client layer.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Whether every change is refused.
    pub read_only: bool,
    /// Whether admins may create or rotate dbt tokens through the relay.
    pub allow_token_minting: bool,
    /// The TTL of the key cache; at most 5 s, so that a revocation takes effect in every replica by then.
    pub key_max_age: Duration,
    /// The maximum number of cached keys.
    pub key_capacity: u64,
    /// The deadline of a look-up of a key or of credentials, with the wait for a connection.
    pub look_up_limit: Duration,
    /// How long the answer to a revocation waits for its row.
    pub row_wait: Duration,
    /// For how long the first answer to an idempotency key is kept.
    pub idempotency_ttl: Duration,
    /// The access URLs that the API accepts.
    pub access_rules: AccessRules,
    /// Connections of the pool for credentials and keys, from 1.
    pub record_connections: u32,
    /// Connections of the pool for reading the request log, from 1.
    pub search_connections: u32,
    /// How long a request waits for its share of these connections.
    pub connection_wait: Duration,
    /// The maximum number of concurrent exports of the request log, from 1.
    pub max_exports: usize,
    /// How runs are watched.
    pub watch: WatchSettings,
    /// The maximum number of concurrent waits for runs, from 1.
    pub max_waits: usize,
    /// How long after its caller has disconnected a run is cancelled, where the caller wants that.
    pub disconnect_grace: Duration,
    /// The maximum number of concurrent event streams, from 1.
    pub max_event_streams: usize,
    /// The same of one key.
    pub max_streams_per_key: usize,
    /// The pause between two reads of new events.
    pub event_poll: Duration,
    /// How long the reader of an export may take for 1 MiB before the export is aborted.
    pub export_stall: Duration,
}
