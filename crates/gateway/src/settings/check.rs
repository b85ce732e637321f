//! The ranges of the settings, as `config/default.toml` names them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr as _;

use axum::http::HeaderValue;
use secrecy::ExposeSecret as _;
use url::Url;

use super::{IpNetwork, Settings, SettingsError, list, set};

impl Settings {
    /// Whether every value is in its range; the first that is not stops the start.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.check_server()?;
        self.check_upstream()?;
        self.check_database()?;
        self.check_request_log()
    }

    fn check_server(&self) -> Result<(), SettingsError> {
        let Self {
            server,
            cors,
            limits,
            secrets,
            api_keys,
            log,
            sentry,
            ..
        } = self;
        within("server.max_body_bytes", server.max_body_bytes, 1024..=64 << 20)?;
        within("server.shutdown_secs", server.shutdown_secs, 1..=600)?;
        if let Some(address) = set(&server.public_url)
            && web_address("server.public_url", address)?.path() != "/"
        {
            return Err(wrong("server.public_url", "it is an origin, without a path"));
        }

        if let Err(error) = list::<IpNetwork>(&server.trusted_proxies) {
            return Err(wrong("server.trusted_proxies", error));
        }
        if list::<HeaderValue>(&cors.origins).is_err() {
            return Err(wrong(
                "cors.origins",
                "it is a list of origins such as https://data.acme.example",
            ));
        }
        within("limits.requests_per_second", limits.requests_per_second, 0..=100_000)?;
        within("limits.burst", limits.burst, 1..=100_000)?;
        within("limits.replicas", limits.replicas, 1..=1000)?;
        within(
            "limits.max_concurrent_requests",
            limits.max_concurrent_requests,
            1..=100_000,
        )?;
        within("limits.max_url_bytes", limits.max_url_bytes, 256..=64 << 10)?;
        within("limits.max_header_bytes", limits.max_header_bytes, 1024..=256 << 10)?;
        if set(secrets.keys.expose_secret()).is_some() && set(&secrets.keys_file).is_some() {
            return Err(wrong("secrets.keys_file", "give the keys or the file, not both"));
        }
        within("api_keys.max_age_ms", api_keys.max_age_ms, 0..=4_500)?;
        within("api_keys.capacity", api_keys.capacity, 1..=1_000_000)?;
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&log.filter) {
            return Err(wrong("log.filter", error));
        }
        within("sentry.max_events_per_minute", sentry.max_events_per_minute, 1..=10_000)?;
        within("sentry.sample_percent", sentry.sample_percent, 1..=100)?;
        if let Some(dsn) = set(sentry.dsn.expose_secret())
            && sentry::types::Dsn::from_str(dsn).is_err()
        {
            return Err(wrong("sentry.dsn", "it is no Sentry DSN (https://KEY@HOST/PROJECT)"));
        }
        Ok(())
    }

    fn check_upstream(&self) -> Result<(), SettingsError> {
        let Self {
            upstream,
            retry,
            gather,
            stream,
            relay,
            graphql,
            new_runs,
            ..
        } = self;
        within("upstream.account_id", upstream.account_id, 0..=i64::MAX)?;
        within("upstream.connect_timeout_secs", upstream.connect_timeout_secs, 1..=60)?;
        within("upstream.read_timeout_secs", upstream.read_timeout_secs, 1..=600)?;
        within("upstream.deadline_secs", upstream.deadline_secs, 1..=3600)?;
        within("upstream.max_body_bytes", upstream.max_body_bytes, 64 << 10..=1 << 30)?;
        within(
            "upstream.pool_idle_timeout_secs",
            upstream.pool_idle_timeout_secs,
            1..=600,
        )?;
        within(
            "upstream.pool_max_idle_per_host",
            upstream.pool_max_idle_per_host,
            0..=1024,
        )?;
        self.upstream_address("upstream.base_url", &upstream.base_url)?;
        for (key, address) in [
            ("upstream.metadata_url", &upstream.metadata_url),
            ("upstream.semantic_layer_url", &upstream.semantic_layer_url),
        ] {
            if set(address).is_some() && self.upstream_address(key, address)?.path() != "/" {
                return Err(wrong(key, "it is an origin, without a path"));
            }
        }
        if set(upstream.token.expose_secret()).is_some() != (upstream.account_id != 0) {
            return Err(wrong(
                "upstream.account_id",
                "a token and its account (DBT_TOKEN, DBT_ACCOUNT_ID) go together",
            ));
        }
        within("retry.max_retries", retry.max_retries, 0..=2)?;
        within("retry.min_pause_ms", retry.min_pause_ms, 1..=10_000)?;
        within("retry.max_pause_ms", retry.max_pause_ms, 1..=60_000)?;
        within("gather.concurrency", gather.concurrency, 1..=32)?;
        within("relay.collect_max_bytes", relay.collect_max_bytes, 0..=16 << 20)?;
        within("stream.buffer_pieces", stream.buffer_pieces, 1..=64)?;
        within("stream.stall_secs", stream.stall_secs, 1..=3600)?;
        within("graphql.max_depth", graphql.max_depth, 4..=256)?;
        within("graphql.max_tokens", graphql.max_tokens, 100..=1_000_000)?;
        within("graphql.max_pages", graphql.max_pages, 1..=1000)?;
        within("graphql.poll_min_ms", graphql.poll_min_ms, 10..=10_000)?;
        within("graphql.poll_max_ms", graphql.poll_max_ms, 10..=60_000)?;
        within("graphql.deadline_secs", graphql.deadline_secs, 1..=3600)?;
        within("new_runs.young_secs", new_runs.young_secs, 0..=600)?;
        within("new_runs.wait_ms", new_runs.wait_ms, 0..=30_000)?;
        within("new_runs.pause_ms", new_runs.pause_ms, 50..=5_000)?;
        Ok(())
    }

    fn check_database(&self) -> Result<(), SettingsError> {
        let Self { database, .. } = self;
        within("database.max_connections", database.max_connections, 1..=500)?;
        within("database.acquire_timeout_secs", database.acquire_timeout_secs, 1..=60)?;
        within("database.start_wait_secs", database.start_wait_secs, 0..=600)?;
        let url = database.url.expose_secret();
        if set(url).is_some()
            && !["postgres://", "postgresql://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        {
            return Err(wrong("database.url", "it starts with postgres:// or postgresql://"));
        }
        Ok(())
    }

    fn check_request_log(&self) -> Result<(), SettingsError> {
        let Self {
            request_log, instance, ..
        } = self;
        within("request_log.queue_capacity", request_log.queue_capacity, 2..=1_000_000)?;
        within("request_log.group_max_rows", request_log.group_max_rows, 1..=10_000)?;
        within("request_log.write_wait_ms", request_log.write_wait_ms, 100..=60_000)?;
        within("request_log.close_wait_ms", request_log.close_wait_ms, 0..=60_000)?;
        within(
            "request_log.commit_timeout_ms",
            request_log.commit_timeout_ms,
            100..=60_000,
        )?;
        within("request_log.retry_min_ms", request_log.retry_min_ms, 1..=60_000)?;
        within("request_log.retry_max_ms", request_log.retry_max_ms, 1..=60_000)?;
        within("request_log.text_max_bytes", request_log.text_max_bytes, 256..=8192)?;
        within("request_log.json_max_bytes", request_log.json_max_bytes, 1024..=1 << 20)?;
        within("request_log.retention_days", request_log.retention_days, 0..=36_500)?;
        within("request_log.read_connections", request_log.read_connections, 1..=100)?;
        within("request_log.read_timeout_secs", request_log.read_timeout_secs, 1..=600)?;
        within("request_log.max_exports", request_log.max_exports, 1..=100)?;
        within("request_log.export_stall_secs", request_log.export_stall_secs, 1..=3600)?;

        within("instance.heartbeat_secs", instance.heartbeat_secs, 1..=60)?;
        within("instance.dead_after_secs", instance.dead_after_secs, 3..=3600)?;
        within("instance.sweep_secs", instance.sweep_secs, 1..=3600)?;
        if instance.dead_after_secs < 2 * instance.heartbeat_secs {
            return Err(wrong(
                "instance.dead_after_secs",
                "it is at least twice instance.heartbeat_secs",
            ));
        }
        Ok(())
    }

    fn upstream_address(&self, key: &'static str, address: &str) -> Result<Url, SettingsError> {
        let url = web_address(key, address)?;
        if url.scheme() == "http" && !model::is_loopback(&url) && !self.upstream.allow_plain_http {
            let problem = "plain http would send the token in the clear; use https, or set upstream.allow_plain_http";
            return Err(wrong(key, problem));
        }
        Ok(url)
    }
}

fn web_address(key: &'static str, address: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(address).map_err(|error| wrong(key, error))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() && plain && url.password().is_none() {
        Ok(url)
    } else {
        Err(wrong(
            key,
            "it is an http:// or https:// address without user, query and fragment",
        ))
    }
}

fn within<T: PartialOrd + Display + Copy>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), SettingsError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(wrong(
        key,
        format_args!("{value} is not in {} to {}", range.start(), range.end()),
    ))
}

fn wrong(key: &'static str, problem: impl Display) -> SettingsError {
    SettingsError::Value {
        key,
        problem: problem.to_string(),
    }
}
