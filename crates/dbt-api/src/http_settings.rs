//! [`HttpSettings`]: how connections to dbt Cloud are made and kept.

use std::time::Duration;

use crate::{Cause, CollectLimits};

/// How connections to dbt Cloud are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// For name resolution, TCP and TLS.
    pub connect_timeout: Duration,
    /// The longest time without a byte: before the head of the answer, and between two chunks of its body.
    pub read_timeout: Duration,
    /// From sending the request to the last byte of an answer that is read into memory. Streamed answers have no deadline.
    pub deadline: Duration,
    /// The longest body that is read into memory, in bytes after decompression.
    pub max_body_bytes: usize,
    /// How long an idle connection is kept. Set it below the 60 seconds after which common load balancers close idle
    /// connections: a change sent on a closing connection may fail with an unknown outcome, and is then not sent again.
    pub pool_idle_timeout: Duration,
    /// How long a connection is used for new exchanges. A name that moves to other addresses is noticed after this time and
    /// [`DnsSettings::max_cache_age`], though the connection is never idle.
    pub connection_max_age: Duration,
    /// How many idle connections are kept per host.
    pub pool_max_idle_per_host: usize,
    /// The number of concurrent exchanges on one HTTP/2 connection, from 1; more open a further connection. Below the
    /// server's own limit (commonly 100 or 128), so that answers that are read slowly never use it up.
    pub max_streams_per_connection: usize,
    /// The window of each HTTP/2 stream: the bytes of an answer that may be received and not read, from 65,535.
    pub stream_window_bytes: u32,
    /// How long a connection is silent before it is probed (TCP keepalive, HTTP/2 PING).
    pub keepalive_interval: Duration,
    /// How long a probe or sent data may stay unacknowledged before the connection counts as dead.
    pub keepalive_timeout: Duration,
    /// Certificates, as PEM, that are trusted besides the system's.
    pub extra_roots: Option<String>,
    /// How names are resolved.
    pub dns: DnsSettings,
    /// Whether credentials stored through the API may use addresses that are not public. If not, their connections also
    /// ignore the proxy in the environment, because a proxy resolves names itself. Credentials in the settings may use any
    /// address and the proxy.
    pub allow_private_addresses: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}

/// How names are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsSettings {
    /// The limit of one look-up, its wait for a place included.
    pub timeout: Duration,
    /// The number of names that are looked up concurrently, from 1.
    pub max_concurrent: usize,
    /// How long an address is kept; a shorter TTL of the name server wins.
    pub max_cache_age: Duration,
}

impl Default for HttpSettings {
    /// 5 s to connect, 120 s without a byte, 150 s and 64 MiB in total, 256 idle connections per host for 45 s, connections
    /// of 30 s, 64 streams of 512 KiB a connection, probes after 15 s with 20 s for their answer, no private addresses for stored credentials.
    fn default() -> Self {
        let CollectLimits {
            deadline,
            max_body_bytes,
        } = CollectLimits::default();
        Self {
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_mins(2),
            deadline,
            max_body_bytes,
            pool_idle_timeout: Duration::from_secs(45),
            connection_max_age: Duration::from_secs(30),
            pool_max_idle_per_host: 256,
            max_streams_per_connection: 64,
            stream_window_bytes: 512 << 10,
            keepalive_interval: Duration::from_secs(15),
            keepalive_timeout: Duration::from_secs(20),
            extra_roots: None,
            dns: DnsSettings::default(),
            allow_private_addresses: false,
            user_agent: concat!("dbt-gateway/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Default for DnsSettings {
    /// 4 s, 64 names, 30 s.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(4),
            max_concurrent: 64,
            max_cache_age: Duration::from_secs(30),
        }
    }
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// [`HttpSettings::extra_roots`] is not PEM, or has no certificate that can be used.
    #[error("the certificates in the file of upstream.ca_file cannot be used")]
    ExtraRoots(#[source] Cause),
    /// An invalid `user_agent`, or no certificates of the system.
    #[error("the HTTP client for dbt Cloud could not be set up")]
    Client(#[source] Cause),
}
