//! The bounded resources of requests for the gateway's own records, and their shares.

use std::time::Duration;

use model::RequestType;
use shares::{Resource, Shares};

use crate::ClientSettings;

/// The resources of this layer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientShares {
    /// Connections to Postgres for credentials and keys.
    pub(crate) records: Shares,
    /// Connections to Postgres for reading the request log.
    pub(crate) searches: Shares,
    /// Concurrent exports of the request log.
    pub(crate) exports: Shares,
    /// Concurrent waits for runs.
    pub(crate) waits: Shares,
    /// Concurrent event streams.
    pub(crate) event_streams: Shares,
    /// How long a request waits for a connection.
    pub(crate) wait: Duration,
}

impl ClientShares {
    /// Their descriptions.
    pub const RESOURCES: [Resource; 5] = [
        Resource {
            name: "records",
            what: "connections for the gateway's records",
            setting: "database.max_connections",
            levels: "company, key",
            when_full: "a wait of `database.acquire_timeout_secs`, then 503",
        },
        Resource {
            name: "searches",
            what: "concurrent searches of the request log",
            setting: "request_log.read_connections",
            levels: "company, key",
            when_full: "a wait of `database.acquire_timeout_secs`, then 503",
        },
        Resource {
            name: "exports",
            what: "concurrent exports of the request log",
            setting: "request_log.max_exports",
            levels: "company, key",
            when_full: "503 immediately",
        },
        Resource {
            name: "waits",
            what: "concurrent waits for runs",
            setting: "wait.max",
            levels: "company, key",
            when_full: "503 immediately",
        },
        Resource {
            name: "event_streams",
            what: "concurrent event streams",
            setting: "events.max_streams",
            levels: "company, key",
            when_full: "503 immediately; 429 at `events.max_streams_per_key`",
        },
    ];

    /// The resources with the capacities of the settings.
    pub fn new(settings: &ClientSettings) -> Self {
        let [records, searches, exports, waits, event_streams] = Self::RESOURCES;
        Self {
            records: Shares::new(records, settings.record_connections.into()),
            searches: Shares::new(searches, settings.search_connections.into()),
            exports: Shares::new(exports, settings.max_exports as u64),
            waits: Shares::new(waits, settings.max_waits as u64),
            event_streams: Shares::new(event_streams, settings.max_event_streams as u64),
            wait: settings.connection_wait,
        }
    }

    /// The connections that a request needs.
    pub(crate) fn of(&self, request_type: RequestType) -> &Shares {
        match request_type {
            RequestType::ListRequestLogs
            | RequestType::GetRequestLog
            | RequestType::SummarizeRequestLogs
            | RequestType::ExportRequestLogs => &self.searches,
            _ => &self.records,
        }
    }

    /// All of them, for metrics.
    pub fn all(&self) -> [Shares; 5] {
        [
            &self.records,
            &self.searches,
            &self.exports,
            &self.waits,
            &self.event_streams,
        ]
        .map(Clone::clone)
    }
}
