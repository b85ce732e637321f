//! The settings of each layer, made from those of the process.

use std::time::Duration;

use anyhow::Context as _;
use client::{AccessRules, ClientSettings, WatchSettings};
use dbt_api::{DnsSettings, HttpSettings};
use model::InstanceId;
use provider::{
    BreakerSettings, BudgetSettings, CacheSettings, FailureSettings, GatherSettings, GraphqlSettings, NewRunSettings,
    ProviderSettings, RelaySettings, RetrySettings, RowLimits, ShareSettings, StreamSettings, TriggerSettings,
};
use server::{AddressLimitSettings, GraphqlLimits, LimitSettings, ServerSettings};
use storage::{LogReadSettings, QueueSettings};

use super::connections::{Capacity, ConnectionLimits, MinRate};
use crate::settings::Settings;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn queue(settings: &Settings) -> QueueSettings {
    let log = &settings.request_log;
    QueueSettings {
        capacity: log.queue_capacity,
        group_max_rows: log.group_max_rows,
        retry_min: millis(log.retry_min_ms),
        retry_max: millis(log.retry_max_ms),
    }
}

pub(crate) fn log_read(settings: &Settings) -> LogReadSettings {
    LogReadSettings {
        connections: settings.request_log.read_connections,
        acquire_timeout: secs(settings.database.acquire_timeout_secs),
        statement_timeout: secs(settings.request_log.read_timeout_secs),
    }
}

pub(crate) fn http(settings: &Settings) -> anyhow::Result<HttpSettings> {
    let upstream = &settings.upstream;
    let ca_file = upstream.ca_file.0.as_deref().map(|file| {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {} (upstream.ca_file)", file.display()))
    });
    Ok(HttpSettings {
        connect_timeout: secs(upstream.connect_timeout_secs),
        read_timeout: secs(upstream.read_timeout_secs),
        deadline: secs(upstream.deadline_secs),
        max_body_bytes: upstream.max_body_bytes,
        pool_idle_timeout: secs(upstream.pool_idle_timeout_secs),
        connection_max_age: secs(upstream.connection_max_age_secs),
        pool_max_idle_per_host: upstream.pool_max_idle_per_host,
        max_streams_per_connection: upstream.max_streams_per_connection,
        stream_window_bytes: upstream.stream_window_bytes,
        keepalive_interval: secs(upstream.keepalive_interval_secs),
        keepalive_timeout: secs(upstream.keepalive_timeout_secs),
        extra_roots: ca_file.transpose()?,
        dns: DnsSettings {
            timeout: secs(upstream.dns_timeout_secs),
            max_concurrent: upstream.dns_max_concurrent,
            max_cache_age: secs(upstream.dns_cache_secs),
        },
        allow_private_addresses: upstream.allow_private_addresses,
        ..HttpSettings::default()
    })
}

fn cache(settings: &Settings) -> CacheSettings {
    let cache = &settings.cache;
    let fresh = cache.fresh_ms.0.iter();
    CacheSettings {
        is_enabled: cache.enabled,
        max_bytes: cache.max_bytes,
        max_body_bytes: cache.artifact_max_bytes,
        ended_fresh: secs(cache.ended_run_secs),
        fresh: fresh
            .map(|fresh| (fresh.request_type.to_owned(), fresh.duration))
            .collect(),
        stale: secs(cache.stale_secs),
    }
}

pub(crate) fn budget(settings: &Settings) -> BudgetSettings {
    let budget = &settings.budget;
    BudgetSettings {
        admin_per_minute: budget.admin_per_minute,
        discovery_per_minute: budget.discovery_per_minute,
        reserve_percent: budget.reserve_percent,
        background_percent: budget.background_percent,
        cooldown: secs(budget.cooldown_secs),
        wait: millis(budget.wait_ms),
    }
}

pub(crate) fn provider(settings: &Settings, instance: InstanceId) -> ProviderSettings {
    let log = &settings.request_log;
    ProviderSettings {
        retry: RetrySettings {
            max_retries: settings.retry.max_retries,
            min_pause: millis(settings.retry.min_pause_ms),
            max_pause: millis(settings.retry.max_pause_ms),
            budget_percent: settings.retry.budget_percent,
            min_retries_per_sec: settings.retry.min_per_sec,
        },
        cache: cache(settings),
        breaker: BreakerSettings {
            min_exchanges: settings.breaker.min_exchanges,
            failure_percent: settings.breaker.failure_percent,
            window: secs(settings.breaker.window_secs),
            min_open: millis(settings.breaker.min_open_ms),
            max_open: millis(settings.breaker.max_open_ms.max(settings.breaker.min_open_ms)),
        },
        gather: GatherSettings {
            concurrency: settings.gather.concurrency,
            hold_max_bytes: settings.gather.hold_max_bytes,
            window_max_bytes: settings.gather.window_max_bytes,
            max_filtered_pages: settings.gather.max_filtered_pages,
        },
        new_runs: NewRunSettings {
            young: secs(settings.new_runs.young_secs),
            wait: millis(settings.new_runs.wait_ms),
            pause: millis(settings.new_runs.pause_ms),
        },
        log_wait: millis(log.write_wait_ms),
        close_wait: millis(log.close_wait_ms),
        open_reads: log.open_reads,
        trigger: trigger(settings),
        relay: RelaySettings {
            collect_max_bytes: settings.relay.collect_max_bytes,
            keep_static_subdomain: settings.compat.keep_static_subdomain,
        },
        stream: StreamSettings {
            buffer_pieces: settings.stream.buffer_pieces,
            stall: secs(settings.stream.stall_secs),
        },
        graphql: GraphqlSettings {
            max_pages: settings.graphql.max_pages,
            poll_min: millis(settings.graphql.poll_min_ms),
            poll_max: millis(settings.graphql.poll_max_ms),
            deadline: secs(settings.graphql.deadline_secs),
        },
        run_failure: FailureSettings {
            max_nodes: settings.run_failure.max_nodes,
            message_max_bytes: settings.run_failure.message_max_bytes,
            log_tail_bytes: settings.run_failure.log_tail_bytes,
        },
        row_limits: RowLimits {
            text_max_bytes: log.text_max_bytes,
            json_max_bytes: log.json_max_bytes,
        },
        instance_id: Some(instance),
    }
}

pub(crate) fn trigger(settings: &Settings) -> TriggerSettings {
    let trigger = &settings.trigger;
    TriggerSettings {
        marks: trigger.marker,
        marks_relayed: settings.compat.mark_triggers,
        resolve: secs(trigger.resolve_secs),
        horizon: secs(trigger.horizon_secs),
        give_up_after: secs(trigger.give_up_secs),
        min_pause: millis(trigger.min_pause_ms),
        max_pause: millis(trigger.max_pause_ms),
        look_pages: trigger.look_pages,
        clock_difference: secs(trigger.clock_difference_secs),
        unlisted: secs(trigger.unlisted_secs),
        lease: secs(trigger.lease_secs),
        job_wait: secs(trigger.job_wait_secs),
        key_ttl: Duration::from_hours(settings.idempotency.ttl_hours),
        repeat_window: secs(settings.compat.repeat_window_secs),
    }
}

pub(crate) fn shares(settings: &Settings) -> ShareSettings {
    ShareSettings {
        max_requests: settings.limits.max_concurrent_requests,
        max_streams: settings.stream.max_streams,
        max_exchanges: settings.upstream.max_exchanges,
        wait: millis(settings.upstream.share_wait_ms),
        max_bytes: settings.limits.max_answer_bytes,
    }
}

/// The age of a late heartbeat: half of the time after which other processes take this one for dead, but not before the
/// next one is due.
pub(crate) fn late_heartbeat(settings: &Settings) -> Duration {
    let instance = &settings.instance;
    (secs(instance.dead_after_secs) / 2).max(secs(instance.heartbeat_secs) * 3 / 2)
}

pub(crate) fn client(settings: &Settings) -> ClientSettings {
    ClientSettings {
        read_only: settings.server.read_only,
        allow_token_minting: settings.compat.allow_token_minting,
        key_max_age: millis(settings.api_keys.max_age_ms),
        key_capacity: settings.api_keys.capacity,
        // A second more than the pool itself allows, so that its deadline comes first and condemns the connection.
        look_up_limit: secs(settings.database.acquire_timeout_secs + settings.database.statement_timeout_secs + 1),
        row_wait: millis(settings.request_log.close_wait_ms),
        idempotency_ttl: Duration::from_hours(settings.idempotency.ttl_hours),
        access_rules: AccessRules {
            allow_private_addresses: settings.upstream.allow_private_addresses,
            allow_plain_http: settings.upstream.allow_plain_http,
        },
        record_connections: settings.database.max_connections,
        search_connections: settings.request_log.read_connections,
        connection_wait: secs(settings.database.acquire_timeout_secs),
        watch: watch(settings),
        max_waits: settings.wait.max,
        disconnect_grace: secs(settings.wait.disconnect_grace_secs),
        max_event_streams: settings.events.max_streams,
        max_streams_per_key: settings.events.max_streams_per_key,
        event_poll: millis(settings.events.poll_ms),
        max_exports: settings.request_log.max_exports,
        export_stall: secs(settings.request_log.export_stall_secs),
    }
}

fn watch(settings: &Settings) -> WatchSettings {
    let watch = &settings.watch;
    let min_pause = millis(watch.min_pause_ms);
    WatchSettings {
        min_pause,
        max_pause: secs(watch.max_pause_secs).max(min_pause),
        waited_max_pause: secs(watch.waited_max_pause_secs).max(min_pause),
        looks_per_minute: watch.looks_per_minute,
        watched: watched(settings),
        lease: secs(watch.lease_secs),
        log_max_bytes: i64::try_from(settings.events.log_max_bytes).unwrap_or(i64::MAX),
    }
}

/// How long a run is watched at most.
pub(crate) fn watched(settings: &Settings) -> Duration {
    Duration::from_hours(settings.watch.max_hours)
}

pub(crate) fn server(settings: &Settings) -> anyhow::Result<ServerSettings> {
    let public_url = settings.server.public_url.0.as_ref();
    let public_url = public_url.map(|origin| origin.0.as_str().parse()).transpose();
    let proxies = settings.server.trusted_proxies.0.iter();
    Ok(ServerSettings {
        public_url: public_url.context("server.public_url")?,
        max_body_bytes: settings.server.max_body_bytes,
        body_timeout: secs(settings.server.body_timeout_secs),
        graphql: GraphqlLimits {
            max_depth: settings.graphql.max_depth,
            max_tokens: settings.graphql.max_tokens,
        },
        event_heartbeat: secs(settings.events.heartbeat_secs),
        trusted_proxies: proxies.map(|network| network.0).collect(),
        cors_origins: settings.cors.origins.0.clone(),
    })
}

pub(crate) fn limits(settings: &Settings) -> LimitSettings {
    let limits = &settings.limits;
    LimitSettings {
        requests_per_second: limits.requests_per_second,
        burst: limits.burst,
        replicas: limits.replicas,
        max_url_bytes: limits.max_url_bytes,
        max_header_bytes: limits.max_header_bytes,
    }
}

pub(crate) fn addresses(settings: &Settings) -> AddressLimitSettings {
    AddressLimitSettings {
        max_requests: settings.limits.max_connections_per_address,
        failed_keys_per_minute: settings.limits.failed_keys_per_minute,
    }
}

/// The limits on callers' connections.
pub(crate) fn connections(settings: &Settings) -> ConnectionLimits {
    let (server, limits) = (&settings.server, &settings.limits);
    ConnectionLimits {
        capacity: Capacity {
            connections: limits.max_connections,
            per_address: limits.max_connections_per_address,
            trusted: server.trusted_proxies.0.iter().map(|network| network.0).collect(),
        },
        idle_timeout: secs(server.idle_timeout_secs),
        head_timeout: secs(server.head_timeout_secs),
        min_rate: MinRate {
            bytes_per_sec: server.min_bytes_per_sec,
            grace: secs(server.slow_grace_secs),
        },
        buffer_bytes: (limits.max_url_bytes + limits.max_header_bytes + HEAD_OVERHEAD).max(MIN_BUFFER),
    }
}

/// The limits on connections of probes and Prometheus: a hostile peer there cannot lock others out, nor use up the process.
pub(crate) fn health_connections() -> ConnectionLimits {
    ConnectionLimits {
        capacity: Capacity {
            connections: 64,
            per_address: 0,
            trusted: Vec::new(),
        },
        idle_timeout: secs(60),
        head_timeout: secs(5),
        min_rate: MinRate {
            bytes_per_sec: 1024,
            grace: secs(10),
        },
        buffer_bytes: MIN_BUFFER,
    }
}

/// Line ends, colons, the method and the version.
const HEAD_OVERHEAD: usize = 8 << 10;
/// Enough for bodies to arrive in large pieces.
const MIN_BUFFER: usize = 64 << 10;
