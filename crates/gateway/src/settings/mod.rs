//! Settings: `config/default.toml`, then a file, then the environment. The only place that reads the environment.

mod check;
mod layers;
mod load;
mod network;
mod ranges;
mod show;

use std::net::SocketAddr;

use secrecy::SecretString;
use serde::Deserialize;

pub(crate) use load::{SettingsError, default_data_dir};
pub(crate) use network::IpNetwork;
pub(crate) use show::show;

/// All settings, as `config/default.toml` documents them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) cors: Cors,
    pub(crate) limits: Limits,
    pub(crate) secrets: Secrets,
    pub(crate) upstream: Upstream,
    pub(crate) retry: Retry,
    pub(crate) gather: Gather,
    pub(crate) stream: Stream,
    pub(crate) relay: Relay,
    pub(crate) compat: Compat,
    pub(crate) graphql: Graphql,
    pub(crate) new_runs: NewRuns,
    pub(crate) run_failure: RunFailure,
    pub(crate) database: Database,
    pub(crate) request_log: RequestLog,
    pub(crate) instance: Instance,
    pub(crate) api_keys: ApiKeys,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) tracing: Tracing,
    pub(crate) sentry: Sentry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: String,
    pub(crate) max_body_bytes: usize,
    pub(crate) idle_timeout_secs: u64,
    pub(crate) drain_secs: u64,
    pub(crate) idle_grace_ms: u64,
    pub(crate) shutdown_secs: u64,
    pub(crate) read_only: bool,
    pub(crate) trusted_proxies: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cors {
    pub(crate) origins: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) requests_per_second: u32,
    pub(crate) burst: u32,
    pub(crate) replicas: u32,
    pub(crate) max_connections: usize,
    pub(crate) max_concurrent_requests: usize,
    pub(crate) max_url_bytes: usize,
    pub(crate) max_header_bytes: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    pub(crate) keys: SecretString,
    pub(crate) keys_file: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) base_url: String,
    pub(crate) token: SecretString,
    pub(crate) account_id: i64,
    pub(crate) metadata_url: String,
    pub(crate) semantic_layer_url: String,
    pub(crate) allow_plain_http: bool,
    pub(crate) allow_private_addresses: bool,
    pub(crate) connect_timeout_secs: u64,
    pub(crate) read_timeout_secs: u64,
    pub(crate) deadline_secs: u64,
    pub(crate) max_body_bytes: usize,
    pub(crate) pool_idle_timeout_secs: u64,
    pub(crate) pool_max_idle_per_host: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    pub(crate) max_retries: usize,
    pub(crate) min_pause_ms: u64,
    pub(crate) max_pause_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gather {
    pub(crate) concurrency: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    pub(crate) buffer_pieces: usize,
    pub(crate) stall_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relay {
    pub(crate) collect_max_bytes: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compat {
    pub(crate) allow_token_minting: bool,
    pub(crate) keep_static_subdomain: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Graphql {
    pub(crate) max_depth: usize,
    pub(crate) max_tokens: usize,
    pub(crate) max_pages: usize,
    pub(crate) poll_min_ms: u64,
    pub(crate) poll_max_ms: u64,
    pub(crate) deadline_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRuns {
    pub(crate) young_secs: u64,
    pub(crate) wait_ms: u64,
    pub(crate) pause_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunFailure {
    pub(crate) max_nodes: usize,
    pub(crate) message_max_bytes: usize,
    pub(crate) log_tail_bytes: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) url: SecretString,
    pub(crate) data_dir: String,
    pub(crate) bin_dir: String,
    pub(crate) max_connections: u32,
    pub(crate) acquire_timeout_secs: u64,
    pub(crate) start_wait_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestLog {
    pub(crate) queue_capacity: usize,
    pub(crate) group_max_rows: usize,
    pub(crate) open_reads: bool,
    pub(crate) write_wait_ms: u64,
    pub(crate) close_wait_ms: u64,
    pub(crate) commit_timeout_ms: u64,
    pub(crate) retry_min_ms: u64,
    pub(crate) retry_max_ms: u64,
    pub(crate) text_max_bytes: usize,
    pub(crate) json_max_bytes: usize,
    pub(crate) retention_days: u32,
    pub(crate) read_connections: u32,
    pub(crate) read_timeout_secs: u64,
    pub(crate) max_exports: usize,
    pub(crate) export_stall_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "units stand in names")]
pub(crate) struct Instance {
    pub(crate) heartbeat_secs: u64,
    pub(crate) dead_after_secs: u64,
    pub(crate) sweep_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeys {
    pub(crate) max_age_ms: u64,
    pub(crate) capacity: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Pretty,
    Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) listen: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tracing {
    pub(crate) otlp_endpoint: String,
    pub(crate) otlp_headers: SecretString,
    pub(crate) service_name: String,
    pub(crate) sample_percent: u32,
    pub(crate) queue_spans: usize,
    pub(crate) export_interval_ms: u64,
    pub(crate) export_timeout_secs: u64,
    pub(crate) flush_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sentry {
    pub(crate) dsn: SecretString,
    pub(crate) environment: String,
    pub(crate) max_events_per_minute: u32,
    pub(crate) sample_percent: u8,
}

/// A comma-separated list, each part read as a `T`.
pub(crate) fn list<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, T::Err> {
    text.split(',').filter_map(set).map(str::parse).collect()
}

/// An empty text means: not set.
pub(crate) fn set(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
