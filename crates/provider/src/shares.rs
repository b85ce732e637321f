//! The bounded resources of requests to dbt Cloud, and their shares.

use std::time::Duration;

use shares::{Resource, Shares};

/// The capacity of each resource.
#[derive(Debug, Clone, Copy)]
pub struct ShareSettings {
    /// Concurrent requests, from 1.
    pub max_requests: usize,
    /// Concurrent streamed answers, from 1.
    pub max_streams: usize,
    /// Concurrent exchanges with dbt Cloud, from 1.
    pub max_exchanges: usize,
    /// How long an exchange, or the memory of a list, waits for its share.
    pub wait: Duration,
    /// Bytes of answers in memory, from 1.
    pub max_bytes: usize,
}

impl Default for ShareSettings {
    /// 2000 requests, 1000 streams, 1000 exchanges with a wait of 5 seconds, 256 MiB.
    fn default() -> Self {
        Self {
            max_requests: 2000,
            max_streams: 1000,
            max_exchanges: 1000,
            wait: Duration::from_secs(5),
            max_bytes: 256 << 20,
        }
    }
}

/// The resources. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProviderShares {
    /// Concurrent requests. A change whose caller has disconnected counts until it ends.
    pub requests: Shares,
    /// Concurrent streamed answers, which count as no request.
    pub streams: Shares,
    /// Concurrent exchanges with dbt Cloud, each with a connection or an HTTP/2 stream.
    pub exchanges: Shares,
    /// The same, by host.
    pub hosts: Shares,
    /// Bytes of answers in memory.
    pub bytes: Shares,
    pub(crate) wait: Duration,
}

impl ProviderShares {
    const REQUESTS: Resource = Resource {
        name: "requests",
        what: "concurrent requests",
        setting: "limits.max_concurrent_requests",
        levels: "company, key",
        when_full: "503 immediately",
    };
    const STREAMS: Resource = Resource {
        name: "streams",
        what: "concurrent streamed answers",
        setting: "stream.max_streams",
        levels: "company, key",
        when_full: "503 before the first byte",
    };
    const EXCHANGES: Resource = Resource {
        name: "exchanges",
        what: "concurrent exchanges with dbt Cloud",
        setting: "upstream.max_exchanges",
        levels: "company, key",
        when_full: "a wait of `upstream.share_wait_ms`, then 503",
    };
    const HOSTS: Resource = Resource {
        name: "host_exchanges",
        what: "concurrent exchanges with the hosts of dbt Cloud",
        setting: "upstream.max_exchanges",
        levels: "host",
        when_full: "as above",
    };
    const BYTES: Resource = Resource {
        name: "bytes",
        what: "bytes of answers in memory",
        setting: "limits.max_answer_bytes",
        levels: "company, key",
        when_full: "503; a list waits `upstream.share_wait_ms` first",
    };

    /// Their descriptions.
    pub const RESOURCES: [Resource; 5] = [Self::REQUESTS, Self::STREAMS, Self::EXCHANGES, Self::HOSTS, Self::BYTES];

    /// The resources with these capacities.
    pub fn new(settings: ShareSettings) -> Self {
        Self {
            requests: Shares::new(Self::REQUESTS, settings.max_requests as u64),
            streams: Shares::new(Self::STREAMS, settings.max_streams as u64),
            exchanges: Shares::new(Self::EXCHANGES, settings.max_exchanges as u64),
            hosts: Shares::new(Self::HOSTS, settings.max_exchanges as u64),
            bytes: Shares::new(Self::BYTES, settings.max_bytes as u64),
            wait: settings.wait,
        }
    }

    /// All of them, for metrics and documentation.
    pub fn all(&self) -> [Shares; 5] {
        [&self.requests, &self.streams, &self.exchanges, &self.hosts, &self.bytes].map(Clone::clone)
    }
}

impl Default for ProviderShares {
    fn default() -> Self {
        Self::new(ShareSettings::default())
    }
}
