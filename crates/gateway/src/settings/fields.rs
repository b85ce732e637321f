//! Every setting with its type, range and short name. `config/default.toml` holds their manual and defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderValue;
use secrecy::SecretString;
use serde::Deserialize;
use tracing_subscriber::filter::Targets;

use super::field::{Field, settings};
use super::parsed::{FreshFor, IpNetwork, List, LogFormat, Optional, Origin, Parsed, WebAddress};

const KIB: i64 = 1 << 10;
const MIB: i64 = 1 << 20;

settings! {
    /// The listener, connections and shutdown.
    server: Server {
        #[env("DBT_GATEWAY_LISTEN")] listen: SocketAddr,
        public_url: Optional<Origin>,
        #[range(KIB, 64 * MIB)] max_body_bytes: usize,
        trusted_proxies: List<IpNetwork>,
        #[range(1, 3600)] idle_timeout_secs: u64,
        #[range(1, 600)] head_timeout_secs: u64,
        #[range(1, 3600)] body_timeout_secs: u64,
        #[range(0, MIB)] min_bytes_per_sec: u64,
        #[range(1, 3600)] slow_grace_secs: u64,
        #[range(0, 300)] drain_secs: u64,
        #[range(0, 10_000)] idle_grace_ms: u64,
        #[range(1, 600)] shutdown_secs: u64,
        read_only: bool,
    }
    /// Web pages that may call the gateway.
    cors: Cors {
        origins: List<HeaderValue>,
    }
    /// Limits on callers.
    limits: Limits {
        #[range(0, 100_000)] requests_per_second: u32,
        #[range(1, 100_000)] burst: u32,
        #[range(1, 1000)] replicas: u32,
        #[range(1, 100_000)] max_connections: usize,
        #[range(0, 100_000)] max_connections_per_address: usize,
        #[range(0, 100_000)] failed_keys_per_minute: u32,
        #[range(1, 100_000)] max_concurrent_requests: usize,
        #[range(MIB, 65_536 * MIB)] max_answer_bytes: usize,
        #[range(256, 64 * KIB)] max_url_bytes: usize,
        #[range(KIB, 256 * KIB)] max_header_bytes: usize,
    }
    /// Encryption of stored dbt tokens.
    secrets: Secrets {
        #[env("DBT_GATEWAY_SECRET_KEYS")] #[environment_only] keys: SecretString,
        keys_file: Optional<PathBuf>,
        #[range(1, 3600)] reload_secs: u64,
    }
    /// Connections to dbt Cloud, and the credential from settings.
    upstream: Upstream {
        #[env("DBT_BASE_URL")] base_url: Parsed<WebAddress>,
        #[env("DBT_TOKEN")] #[environment_only] token: SecretString,
        #[env("DBT_TOKEN_FILE")] token_file: Optional<PathBuf>,
        #[env("DBT_ACCOUNT_ID")] #[range(0, i64::MAX)] account_id: i64,
        #[env("DBT_METADATA_URL")] metadata_url: Optional<Origin>,
        #[env("DBT_SEMANTIC_LAYER_URL")] semantic_layer_url: Optional<Origin>,
        allow_plain_http: bool,
        allow_private_addresses: bool,
        #[range(1, 60)] connect_timeout_secs: u64,
        #[range(1, 600)] read_timeout_secs: u64,
        #[range(1, 3600)] deadline_secs: u64,
        #[range(64 * KIB, 1024 * MIB)] max_body_bytes: usize,
        #[range(1, 600)] pool_idle_timeout_secs: u64,
        #[range(1, 86_400)] connection_max_age_secs: u64,
        #[range(0, 1024)] pool_max_idle_per_host: usize,
        #[range(1, 100_000)] max_exchanges: usize,
        #[range(0, 60_000)] share_wait_ms: u64,
        #[range(1, 1000)] max_streams_per_connection: usize,
        #[range(64 * KIB, 16 * MIB)] stream_window_bytes: u32,
        #[range(1, 600)] keepalive_interval_secs: u64,
        #[range(1, 600)] keepalive_timeout_secs: u64,
        ca_file: Optional<PathBuf>,
        #[range(1, 30)] dns_timeout_secs: u64,
        #[range(1, 1000)] dns_max_concurrent: usize,
        #[range(0, 86_400)] dns_cache_secs: u64,
    }
    /// Retries of reads.
    retry: Retry {
        #[range(0, 2)] max_retries: usize,
        #[range(1, 10_000)] min_pause_ms: u64,
        #[range(1, 60_000)] max_pause_ms: u64,
        #[range(0, 100)] budget_percent: u8,
        #[range(0, 1000)] min_per_sec: u32,
    }
    /// The circuit breaker of each credential.
    breaker: Breaker {
        #[range(0, 100_000)] min_exchanges: u32,
        #[range(1, 100)] failure_percent: u32,
        #[range(1, 600)] window_secs: u64,
        #[range(100, 600_000)] min_open_ms: u64,
        #[range(100, 600_000)] max_open_ms: u64,
    }
    /// Reads that share an exchange, and kept answers.
    cache: Cache {
        enabled: bool,
        #[range(0, 65_536 * MIB)] max_bytes: u64,
        #[range(0, 64 * MIB)] artifact_max_bytes: usize,
        #[range(0, 86_400)] ended_run_secs: u64,
        fresh_ms: List<FreshFor>,
        #[range(0, 86_400)] stale_secs: u64,
    }
    /// Lists that span several pages of dbt Cloud.
    gather: Gather {
        #[range(1, 32)] concurrency: usize,
        #[range(64 * KIB, 64 * MIB)] hold_max_bytes: u64,
        #[range(64 * KIB, 256 * MIB)] window_max_bytes: u64,
        #[range(1, 100_000)] max_filtered_pages: usize,
    }
    /// Streamed answers.
    stream: Stream {
        #[range(1, 100_000)] max_streams: usize,
        #[range(1, 64)] buffer_pieces: usize,
        #[range(1, 3600)] stall_secs: u64,
    }
    /// The dbt-compatible surface: answer size.
    relay: Relay {
        #[range(0, 16 * MIB)] collect_max_bytes: usize,
    }
    /// Starting runs.
    trigger: Trigger {
        marker: bool,
        #[range(0, 300)] resolve_secs: u64,
        #[range(10, 86_400)] horizon_secs: u64,
        #[range(0, 604_800)] give_up_secs: u64,
        #[range(10, 10_000)] min_pause_ms: u64,
        #[range(10, 60_000)] max_pause_ms: u64,
        #[range(1, 100)] look_pages: usize,
        #[range(0, 300)] clock_difference_secs: u64,
        #[range(0, 3600)] unlisted_secs: u64,
        #[range(3, 600)] lease_secs: u64,
        #[range(0, 300)] job_wait_secs: u64,
        #[range(1, 3650)] keep_days: u64,
    }
    /// The budget of requests to each account.
    budget: Budget {
        #[range(0, 1_000_000)] admin_per_minute: u32,
        #[range(0, 1_000_000)] discovery_per_minute: u32,
        #[range(0, 50)] reserve_percent: u32,
        #[range(0, 50)] background_percent: u32,
        #[range(1, 3600)] cooldown_secs: u64,
        #[range(100, 600_000)] wait_ms: u64,
    }
    /// Watched runs.
    watch: Watch {
        started_runs: bool,
        #[range(200, 60_000)] min_pause_ms: u64,
        #[range(1, 600)] max_pause_secs: u64,
        #[range(1, 600)] waited_max_pause_secs: u64,
        #[range(1, 100_000)] looks_per_minute: u32,
        #[range(1, 720)] max_hours: u64,
        #[range(5, 600)] lease_secs: u64,
        #[range(1, 3650)] keep_days: u64,
    }
    /// Waits for runs.
    wait: Wait {
        #[range(1, 1_000_000)] max: usize,
        #[range(0, 3600)] disconnect_grace_secs: u64,
    }
    /// Events of runs.
    events: Events {
        #[range(1, 720)] retention_hours: u64,
        #[range(0, 100 * MIB)] log_max_bytes: u64,
        #[range(1, 1_000_000)] max_streams: usize,
        #[range(1, 1_000_000)] max_streams_per_key: usize,
        #[range(1, 600)] heartbeat_secs: u64,
        #[range(10, 60_000)] poll_ms: u64,
    }
    /// Idempotency keys.
    idempotency: Idempotency {
        #[range(1, 720)] ttl_hours: u64,
    }
    /// The dbt-compatible surface: special cases.
    compat: Compat {
        mark_triggers: bool,
        #[range(0, 3600)] repeat_window_secs: u64,
        allow_token_minting: bool,
        keep_static_subdomain: bool,
    }
    /// Queries of the Discovery and Semantic Layer APIs.
    graphql: Graphql {
        #[range(4, 256)] max_depth: usize,
        #[range(100, 1_000_000)] max_tokens: usize,
        #[range(1, 1000)] max_pages: usize,
        #[range(10, 10_000)] poll_min_ms: u64,
        #[range(10, 60_000)] poll_max_ms: u64,
        #[range(1, 3600)] deadline_secs: u64,
    }
    /// Runs that dbt Cloud may not show yet.
    new_runs: NewRuns {
        #[range(0, 600)] young_secs: u64,
        #[range(0, 30_000)] wait_ms: u64,
        #[range(50, 5000)] pause_ms: u64,
    }
    /// Limits of the failure report.
    run_failure: RunFailure {
        #[range(0, 1000)] max_nodes: usize,
        #[range(256, 64 * KIB)] message_max_bytes: usize,
        #[range(256, MIB)] log_tail_bytes: usize,
    }
    /// Postgres.
    database: Database {
        #[env("DATABASE_URL")] url: SecretString,
        direct_url: SecretString,
        #[env("DBT_GATEWAY_DATA_DIR")] data_dir: Optional<PathBuf>,
        #[env("PG_BIN_DIR")] bin_dir: Optional<PathBuf>,
        #[range(1, 500)] max_connections: u32,
        #[range(1, 60)] acquire_timeout_secs: u64,
        #[range(1, 60)] statement_timeout_secs: u64,
        #[range(0, 600)] start_wait_secs: u64,
        #[range(10, 60_000)] migration_lock_timeout_ms: u64,
        #[range(1, 10_000)] migration_attempts: u32,
        #[range(0, 1_000_000)] min_free_disk_mb: u64,
    }
    /// Writing, keeping and reading the request log.
    request_log: RequestLog {
        #[range(2, 1_000_000)] queue_capacity: usize,
        #[range(1, 10_000)] group_max_rows: usize,
        open_reads: bool,
        #[range(100, 60_000)] write_wait_ms: u64,
        #[range(0, 60_000)] close_wait_ms: u64,
        #[range(100, 60_000)] commit_timeout_ms: u64,
        #[range(1, 60_000)] retry_min_ms: u64,
        #[range(1, 60_000)] retry_max_ms: u64,
        #[range(256, 8 * KIB)] text_max_bytes: usize,
        #[range(KIB, MIB)] json_max_bytes: usize,
        #[range(0, 36_500)] retention_days: u32,
        #[range(10, 10_000)] drop_wait_ms: u64,
        #[range(1, 100)] read_connections: u32,
        #[range(1, 600)] read_timeout_secs: u64,
        #[range(1, 100)] max_exports: usize,
        #[range(1, 3600)] export_stall_secs: u64,
    }
    /// The heartbeat of this process.
    instance: Instance {
        #[range(1, 60)] heartbeat_secs: u64,
        #[range(3, 3600)] dead_after_secs: u64,
        #[range(1, 3600)] sweep_secs: u64,
        #[range(1, 36_500)] keep_days: u32,
    }
    /// The cache of API keys.
    api_keys: ApiKeys {
        #[range(0, 4500)] max_age_ms: u64,
        #[range(1, 1_000_000)] capacity: u64,
    }
    /// Log lines.
    log: Log {
        format: LogFormat,
        filter: Parsed<Targets>,
    }
    /// The listener of health checks and metrics.
    health: Health {
        listen: Optional<SocketAddr>,
    }
    /// The earlier name of `health.listen`.
    metrics: Metrics {
        listen: Optional<SocketAddr>,
    }
    /// Export of spans.
    tracing: Tracing {
        #[env("OTEL_EXPORTER_OTLP_ENDPOINT")] otlp_endpoint: Optional<WebAddress>,
        #[env("OTEL_EXPORTER_OTLP_HEADERS")] #[environment_only] otlp_headers: SecretString,
        #[env("OTEL_SERVICE_NAME")] service_name: String,
        #[range(0, 100)] sample_percent: u32,
        #[range(512, 1_000_000)] queue_spans: usize,
        #[range(50, 60_000)] export_interval_ms: u64,
        #[range(1, 60)] export_timeout_secs: u64,
        #[range(1, 60)] flush_secs: u64,
    }
    /// Reports to Sentry.
    sentry: Sentry {
        #[env("SENTRY_DSN")] dsn: SecretString,
        environment: String,
        #[range(1, 10_000)] max_events_per_minute: u32,
        #[range(1, 100)] sample_percent: u8,
    }
}
