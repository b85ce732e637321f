//! `dbt-gateway serve`: puts the floors together, serves, and stops without losing a row.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use client::{AccessRules, ClientParts, ClientSettings, Clients, Records, Upstreams};
use dbt_api::{DbtWrappedApi, HttpSettings, WrappedApi};
use model::{AccountId, Clock, CompanyId, InstanceId, SystemClock, Upstream, UpstreamSource};
use provider::{
    DbtProvider, FailureSettings, GraphqlSettings, NewRunSettings, ProviderSettings, RelaySettings, RetrySettings,
    RowLimits, StreamSettings,
};
use secrecy::ExposeSecret as _;
use server::{GraphqlLimits, LimitSettings, Limits, ServerSettings, ServerState, Shutdown};
use storage::{
    ApiKeys, Instances, LogQueue, LogReadSettings, Partitions, PgRequestLog, PgStartedRuns, QueueSettings, RequestLogs,
};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

use crate::connections::{self, ConnectionLimits, Ending};
use crate::database::Postgres;
use crate::metrics::{self, Metrics};
use crate::open_files;
use crate::running::{self, Presence, Stop};
use crate::secrets;
use crate::settings::{IpNetwork, Settings, list, set};
use crate::telemetry::spans::{self, Tied, Traced};

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<()> {
    open_files::allow_for(settings.limits.max_connections);
    let postgres = Postgres::for_serving(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(serve(settings, &postgres));
    drop(runtime);
    postgres.stop()?;
    done
}

async fn serve(settings: &Settings, postgres: &Postgres) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.server.listen))?;
    let metrics = Metrics::new();
    let database = postgres.connect(settings)?.with_metrics(Arc::clone(&metrics.storage));
    running::migrate_when_up(&database, Duration::from_secs(settings.database.start_wait_secs)).await?;
    let presence =
        Presence::register_metric(Instances::new(&database), &settings.instance, postgres.is_ours_alone()).await?;

    let sink = PgRequestLog::new(&database, millis(settings.request_log.commit_timeout_ms));
    let (log, writer) = LogQueue::start(Arc::new(sink), queue_settings(settings), Arc::clone(&metrics.storage));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let provider = DbtProvider::new(
        api(settings)?,
        log.clone(),
        Arc::new(PgStartedRuns::new(&database)),
        Arc::clone(&clock),
        provider_settings(settings, presence.id()),
        Arc::clone(&metrics.provider),
    );
    let credentials = secrets::credentials(settings, postgres, &database).await?;
    let api_keys = ApiKeys::new(&database);
    let request_logs = RequestLogs::new(&database, &log_read_settings(settings));
    let limits = Arc::new(Limits::new(limit_settings(settings)));
    let (server_metrics, registry) = metrics.complete(&database, &request_logs, &log, &limits);
    let metrics = metrics::serve(settings, Arc::clone(&registry)).await?;
    let max_age = millis(settings.api_keys.max_age_ms);
    let clients = Clients::new(
        ClientParts {
            keys: Arc::new(api_keys.clone()),
            upstreams: upstreams(settings)?.with_stored(Arc::new(credentials.clone()), max_age),
            provider: provider.clone(),
            database: database.clone(),
            records: Records {
                credentials,
                api_keys,
                request_logs: request_logs.clone(),
            },
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&registry),
        },
        ClientSettings {
            read_only: settings.server.read_only,
            allow_token_minting: settings.compat.allow_token_minting,
            key_max_age: max_age,
            key_capacity: settings.api_keys.capacity,
            access_rules: AccessRules {
                allow_private_addresses: settings.upstream.allow_private_addresses,
                allow_plain_http: settings.upstream.allow_plain_http,
            },
            max_exports: settings.request_log.max_exports,
            export_stall: Duration::from_secs(settings.request_log.export_stall_secs),
        },
    );
    let partitions = Partitions::new(&database, running::READERS_PATIENCE);
    let keeping = running::keep_log(partitions, Arc::clone(&clock), settings.request_log.retention_days);
    let keeping = tokio::spawn(keeping);
    let chores = tokio::spawn(running::chores(clients.clone(), Arc::clone(&limits)));
    let shutdown = Shutdown::default();
    let router = server::router(ServerState {
        clients: clients.clone(),
        clock,
        limits,
        metrics: server_metrics,
        spans: spans::exported(settings).then(|| Arc::new(Tied) as _),
        settings: Arc::new(server_settings(settings)?),
        shutdown: shutdown.clone(),
    });

    tracing::info!(address = %listener.local_addr()?, "serving");
    let patience = Duration::from_secs(settings.server.shutdown_secs);
    let ending = Ending {
        idle_grace: millis(settings.server.idle_grace_ms),
        ..Ending::default()
    };
    let limits = ConnectionLimits {
        max_connections: settings.limits.max_connections,
        idle_timeout: Duration::from_secs(settings.server.idle_timeout_secs),
    };
    let serving = connections::serve(listener, router, limits, ending.clone());
    let stop = Stop {
        shutdown,
        ending,
        drain: Duration::from_secs(settings.server.drain_secs),
        patience,
    };
    let done = running::until_stopped(serving, stop).await;

    chores.abort();
    keeping.abort();
    running::record_key_use(&clients).await;
    running::finish(&provider, &log, writer, patience).await;
    metrics.inspect(AbortHandle::abort);
    presence.end().await;
    request_logs.close().await;
    database.close().await;
    tracing::info!("stopped");
    done
}

/// The way to dbt Cloud, followed where spans are exported.
fn api(settings: &Settings) -> anyhow::Result<Arc<dyn WrappedApi>> {
    let api = Arc::new(DbtWrappedApi::new(&http_settings(settings))?);
    Ok(if spans::exported(settings) {
        Arc::new(Traced(api))
    } else {
        api
    })
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn queue_settings(settings: &Settings) -> QueueSettings {
    let log = &settings.request_log;
    QueueSettings {
        capacity: log.queue_capacity,
        group_max_rows: log.group_max_rows,
        retry_min: millis(log.retry_min_ms),
        retry_max: millis(log.retry_max_ms),
    }
}

pub(crate) fn log_read_settings(settings: &Settings) -> LogReadSettings {
    LogReadSettings {
        connections: settings.request_log.read_connections,
        acquire_timeout: Duration::from_secs(settings.database.acquire_timeout_secs),
        statement_timeout: Duration::from_secs(settings.request_log.read_timeout_secs),
    }
}

fn http_settings(settings: &Settings) -> HttpSettings {
    let upstream = &settings.upstream;
    HttpSettings {
        connect_timeout: Duration::from_secs(upstream.connect_timeout_secs),
        read_timeout: Duration::from_secs(upstream.read_timeout_secs),
        deadline: Duration::from_secs(upstream.deadline_secs),
        max_body_bytes: upstream.max_body_bytes,
        pool_idle_timeout: Duration::from_secs(upstream.pool_idle_timeout_secs),
        pool_max_idle_per_host: upstream.pool_max_idle_per_host,
        allow_private_addresses: upstream.allow_private_addresses,
        ..HttpSettings::default()
    }
}

pub(crate) fn provider_settings(settings: &Settings, instance: InstanceId) -> ProviderSettings {
    let log = &settings.request_log;
    ProviderSettings {
        retry: RetrySettings {
            max_retries: settings.retry.max_retries,
            min_pause: millis(settings.retry.min_pause_ms),
            max_pause: millis(settings.retry.max_pause_ms),
        },
        gather_concurrency: settings.gather.concurrency,
        new_runs: NewRunSettings {
            young: Duration::from_secs(settings.new_runs.young_secs),
            wait: millis(settings.new_runs.wait_ms),
            pause: millis(settings.new_runs.pause_ms),
        },
        log_wait: millis(log.write_wait_ms),
        close_wait: millis(log.close_wait_ms),
        open_reads: log.open_reads,
        relay: RelaySettings {
            collect_max_bytes: settings.relay.collect_max_bytes,
            keep_static_subdomain: settings.compat.keep_static_subdomain,
        },
        stream: StreamSettings {
            buffer_pieces: settings.stream.buffer_pieces,
            stall: Duration::from_secs(settings.stream.stall_secs),
        },
        graphql: GraphqlSettings {
            max_pages: settings.graphql.max_pages,
            poll_min: millis(settings.graphql.poll_min_ms),
            poll_max: millis(settings.graphql.poll_max_ms),
            deadline: Duration::from_secs(settings.graphql.deadline_secs),
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

pub(crate) fn server_settings(settings: &Settings) -> anyhow::Result<ServerSettings> {
    let public_url = set(&settings.server.public_url)
        .map(str::parse)
        .transpose()
        .context("server.public_url")?;
    let proxies: Vec<IpNetwork> = list(&settings.server.trusted_proxies).context("server.trusted_proxies")?;
    Ok(ServerSettings {
        public_url,
        max_body_bytes: settings.server.max_body_bytes,
        graphql: GraphqlLimits {
            max_depth: settings.graphql.max_depth,
            max_tokens: settings.graphql.max_tokens,
        },
        trusted_proxies: proxies.into_iter().map(|network| network.0).collect(),
        cors_origins: list(&settings.cors.origins).context("cors.origins")?,
    })
}

pub(crate) fn limit_settings(settings: &Settings) -> LimitSettings {
    let limits = &settings.limits;
    LimitSettings {
        requests_per_second: limits.requests_per_second,
        burst: limits.burst,
        replicas: limits.replicas,
        max_concurrent_requests: limits.max_concurrent_requests,
        max_url_bytes: limits.max_url_bytes,
        max_header_bytes: limits.max_header_bytes,
    }
}

/// The credential that settings make, in memory alone: `default` of company 1.
pub(crate) fn upstreams(settings: &Settings) -> anyhow::Result<Upstreams> {
    let from = &settings.upstream;
    if set(from.token.expose_secret()).is_none() {
        tracing::warn!("no dbt Cloud account: set DBT_TOKEN and DBT_ACCOUNT_ID");
        return Ok(Upstreams::default());
    }
    let admin_url: Url = from.base_url.parse()?;
    let sibling = |given: &str, derived: fn(&Url) -> Url| match set(given) {
        Some(url) => url.parse(),
        None => Ok(derived(&admin_url)),
    };
    let upstream = Upstream {
        source: UpstreamSource::Settings,
        name: "default".to_owned(),
        account_id: AccountId(from.account_id),
        metadata_url: sibling(&from.metadata_url, address_rules::metadata_url)?,
        semantic_layer_url: sibling(&from.semantic_layer_url, address_rules::semantic_layer_url)?,
        token: from.token.clone(),
        admin_url,
    };
    Ok(Upstreams::default().with(CompanyId(1), upstream))
}
