//! The life of a serving process, from its start to its clean end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use client::{ClientParts, ClientShares, Clients, HealthSignals, PartitionsAhead, Records};
use model::{Clock, InstanceId, SystemClock};
use prometheus_client::registry::Registry;
use provider::{DbtProvider, ProviderShares, RateBudget};
use server::{AddressLimits, Limits, ServerMetrics, ServerState, Shutdown};
use shares::Shares;
use storage::{
    ApiKeys, Database, LogQueue, PgRateLedger, PgRequestLog, PgStartedRuns, PgTriggerLedger, RequestLogs, RunEvents,
    RunWatches,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::background::{self, BackgroundTasks};
use super::connections::{self, Closing};
use super::deadline::Deadline;
use super::health::HealthServer;
use super::heartbeat::InstanceHeartbeat;
use super::metrics::Metrics;
use super::reload::{Reload, Reloaded};
use super::shutdown::{self, Leftovers, ShutdownSequence};
use super::{layer_settings, open_files, startup, workers};
use crate::database::Postgres;
use crate::key_ring;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::telemetry::{TraceLinker, spans};

/// Time for the private Postgres to stop after a start that failed.
const START_FAILED: Duration = Duration::from_secs(40);
/// How long a stop waits for blocking work, whose result nothing uses any more.
const BLOCKING_WORK: Duration = Duration::from_millis(100);

/// Serves until SIGTERM or SIGINT. Migrates the database first, or else requires that it is migrated.
pub(crate) fn run(settings: &Settings, settings_file: Option<&Path>, migrates: bool) -> anyhow::Result<()> {
    open_files::raise_limit(settings.limits.max_connections);
    let postgres = Postgres::for_serving(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (limit, done) = match runtime.block_on(serve(settings, settings_file, &postgres, migrates)) {
        Ok((deadline, leftovers)) => (Some(deadline), leftovers.report()),
        // The start failed.
        Err(error) => (None, Err(error)),
    };
    let remaining = || limit.as_ref().map_or(START_FAILED, Deadline::remaining);
    // Not `drop`, which would wait for blocking work such as the look-up of a name.
    runtime.shutdown_timeout(remaining().min(BLOCKING_WORK));
    postgres.stop_within(remaining())?;
    done
}

async fn serve(
    settings: &Settings,
    settings_file: Option<&Path>,
    postgres: &Postgres,
    migrates: bool,
) -> anyhow::Result<(Deadline, Leftovers)> {
    let listener = TcpListener::bind(settings.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.server.listen))?;
    let metrics = Metrics::new();
    let database = postgres.connect(settings)?.with_metrics(Arc::clone(&metrics.storage));
    startup::prepare(&database, &settings.database, migrates).await?;
    let heartbeat = InstanceHeartbeat::start(&database, &settings.instance, postgres.is_exclusive()).await?;

    let client_settings = layer_settings::client(settings);
    let (log, writer) = start_log(settings, &database, &metrics);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let shares = ProviderShares::new(layer_settings::shares(settings));
    let triggers = trigger_ledger(settings, &database, heartbeat.id());
    let run_watches = RunWatches::new(&database, Some(heartbeat.id()));
    let run_events = RunEvents::new(&database);
    run_events.make_partitions().await?;
    let provider = provider(
        settings,
        &log,
        &shares,
        &database,
        &triggers,
        (&clock, &metrics),
        heartbeat.id(),
    )?;
    let (provider, budget) = start_budget(settings, provider, &database, &metrics);
    let credentials = key_ring::credentials(settings, postgres, &database).await?;
    let reloaded = Reloaded::publish(settings, &client_settings, &credentials, &database, heartbeat.id()).await?;
    let api_keys = ApiKeys::new(&database);
    let request_logs = RequestLogs::new(&database, &layer_settings::log_read(settings));
    let limits = Arc::new(Limits::new(layer_settings::limits(settings)));
    let client_shares = ClientShares::new(&client_settings);
    let resources = resources(&log, &shares, &client_shares);
    let connection_counts = Arc::clone(&metrics.connections);
    let worker_metrics = Arc::clone(&metrics.workers);
    let (server_metrics, registry) = metrics.complete(&database, &request_logs, (&log, &provider), resources);
    let partitions = PartitionsAhead::default();
    let clients = Clients::new(
        ClientParts {
            keys: Arc::new(api_keys.clone()),
            upstreams: reloaded.upstreams.clone(),
            provider: provider.clone(),
            database: database.clone(),
            log: log.clone(),
            signals: health_signals(settings, postgres, &heartbeat, &partitions),
            records: Records {
                credentials,
                api_keys,
                request_logs: request_logs.clone(),
                run_watches: run_watches.clone(),
                run_events: run_events.clone(),
                triggers: Arc::new(triggers.clone()),
            },
            shares: client_shares,
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&registry),
        },
        client_settings,
    );
    let shutdown = Shutdown::default();
    let health = start_health(settings, &clients, &shutdown, registry).await?;
    let kept = &settings.request_log;
    let background = BackgroundTasks::start(&database, &clients, &limits, Arc::clone(&clock), partitions, kept);
    let tables = workers::Tables {
        triggers,
        budget,
        run_watches,
        run_events,
    };
    let workers = workers::start(&clients, tables, settings, &worker_metrics);
    let state = server_state(settings, &clients, clock, limits, server_metrics, &shutdown)?;
    let router = server::router(state);

    let signals = Signals::listen()?;
    let pause = Duration::from_secs(settings.secrets.reload_secs);
    let reload = Reload::new(settings, settings_file, reloaded).start(pause, signals.hangups());
    tracing::info!(address = %listener.local_addr()?, "serving");
    let closing = closing(settings);
    let limits = layer_settings::connections(settings);
    let serving = connections::serve(listener, router, limits, closing.clone(), connection_counts);
    let sequence = ShutdownSequence {
        shutdown,
        closing,
        drain: Duration::from_secs(settings.server.drain_secs),
        timeout: Duration::from_secs(settings.server.shutdown_secs),
    };
    let (deadline, mut leftovers) = sequence.run_on_signal(signals, serving, &provider, &clients).await;

    background.abort();
    workers.stop();
    reload.abort();
    shutdown::write_remaining_rows(&log, writer, &deadline, &mut leftovers).await;
    let ending = async {
        background::record_key_use(&clients).await;
        heartbeat.end().await;
        request_logs.close().await;
        database.close().await;
    };
    deadline.limit("database", ending).await;
    drop(health);
    Ok((deadline, leftovers))
}

/// The attempts to start runs, which are watched from then on if the settings say so.
fn trigger_ledger(settings: &Settings, database: &Database, instance: InstanceId) -> PgTriggerLedger {
    let triggers = PgTriggerLedger::new(database, Some(instance));
    if settings.watch.started_runs {
        triggers.watching_runs(layer_settings::watched(settings))
    } else {
        triggers
    }
}

fn server_state(
    settings: &Settings,
    clients: &Clients,
    clock: Arc<dyn Clock>,
    limits: Arc<Limits>,
    metrics: Arc<ServerMetrics>,
    shutdown: &Shutdown,
) -> anyhow::Result<ServerState> {
    Ok(ServerState {
        clients: clients.clone(),
        clock,
        limits,
        addresses: Arc::new(AddressLimits::new(layer_settings::addresses(settings))),
        metrics,
        spans: spans::are_exported(settings).then(|| Arc::new(TraceLinker) as _),
        settings: Arc::new(layer_settings::server(settings)?),
        shutdown: shutdown.clone(),
    })
}

/// The provider without its budget.
fn provider(
    settings: &Settings,
    log: &LogQueue,
    shares: &ProviderShares,
    database: &Database,
    triggers: &PgTriggerLedger,
    (clock, metrics): (&Arc<dyn Clock>, &Metrics),
    instance: InstanceId,
) -> anyhow::Result<DbtProvider> {
    Ok(DbtProvider::new(
        startup::wrapped_api(settings)?,
        log.clone(),
        shares.clone(),
        Arc::new(PgStartedRuns::new(database)),
        Arc::new(triggers.clone()),
        Arc::clone(clock),
        layer_settings::provider(settings, instance),
        Arc::clone(&metrics.provider),
    ))
}

/// The provider with its budget, unless no API is limited.
fn start_budget(
    settings: &Settings,
    provider: DbtProvider,
    database: &Database,
    metrics: &Metrics,
) -> (DbtProvider, PgRateLedger) {
    let ledger = PgRateLedger::new(database);
    let limits = layer_settings::budget(settings);
    if limits.is_off() {
        return (provider, ledger);
    }
    let budget = RateBudget::new(Arc::new(ledger.clone()), limits, metrics.budget.clone());
    (provider.with_budget(budget), ledger)
}

fn closing(settings: &Settings) -> Closing {
    Closing {
        idle_grace: Duration::from_millis(settings.server.idle_grace_ms),
        ..Closing::default()
    }
}

fn start_log(settings: &Settings, database: &Database, metrics: &Metrics) -> (LogQueue, JoinHandle<usize>) {
    let commit_timeout = Duration::from_millis(settings.request_log.commit_timeout_ms);
    let sink = PgRequestLog::new(database, commit_timeout);
    let queue = layer_settings::queue(settings);
    LogQueue::start(Arc::new(sink), queue, Arc::clone(&metrics.storage))
}

/// Everything that companies and keys share.
fn resources(log: &LogQueue, provider: &ProviderShares, client: &ClientShares) -> Vec<Shares> {
    let log = [log.rows().clone()];
    log.into_iter().chain(provider.all()).chain(client.all()).collect()
}

fn health_signals(
    settings: &Settings,
    postgres: &Postgres,
    heartbeat: &InstanceHeartbeat,
    partitions: &PartitionsAhead,
) -> HealthSignals {
    HealthSignals {
        heartbeat: Some((heartbeat.last_beat(), layer_settings::late_heartbeat(settings))),
        partitions: Some(partitions.clone()),
        disk: postgres.disk_check(settings),
    }
}

/// The server of the second address, if it is set.
async fn start_health(
    settings: &Settings,
    clients: &Clients,
    shutdown: &Shutdown,
    registry: Arc<Registry>,
) -> anyhow::Result<Option<HealthServer>> {
    let Some(address) = settings.health_listen() else {
        return Ok(None);
    };
    let router = server::health_router(clients.clone(), shutdown.clone(), registry);
    Ok(Some(HealthServer::start(address, router).await?))
}
