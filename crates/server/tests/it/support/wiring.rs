//! Wires the layers as in `gateway/src/serve.rs`, with a fixed clock.

use std::sync::Arc;
use std::time::Duration;

use client::{ClientParts, ClientSettings, ClientShares, Clients, Records, Upstreams};
use dbt_api::DbtWrappedApi;
use metric_families::METRICS_PREFIX;
use model::{AccountId, Clock, FixedClock, Upstream, UpstreamSource};
use prometheus_client::registry::Registry;
use provider::{
    BudgetMetrics, DbtProvider, ProviderMetrics, ProviderSettings, ProviderShares, RateBudget, RetrySettings,
    RowLimits, observe_shares,
};
use server::{AddressLimits, Limits, ServerMetrics, ServerState};
use simulator::Running;
use storage::{
    ApiKeys, Credentials, CurrentKeys, Database, DatabaseSettings, LogQueue, PgRateLedger, PgRequestLog, PgStartedRuns,
    PgTriggerLedger, QueueSettings, RequestLogs, RunEvents, RunWatches, StorageMetrics, TriggerLedger,
};
use testkit::TestDatabase;

use super::{FOREVER, Setup};

/// A client that follows no redirects and decodes nothing. Installs the crypto provider of the process.
pub(crate) fn http_client() -> reqwest::Client {
    // Fails if another test of this process has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) async fn migrated_database() -> TestDatabase {
    let migrations = sqlx::migrate!("../../migrations");
    TestDatabase::create(&testkit::fingerprint(&migrations), async |pool| {
        Database::from(pool).migrate().await
    })
    .await
}

/// The state of the server, its metrics, and the keys of stored tokens.
pub(crate) fn state(
    setup: &Setup,
    dbt: &Running,
    database: &TestDatabase,
    clock: &Arc<FixedClock>,
) -> (ServerState, Arc<Registry>, CurrentKeys) {
    let database = match &setup.database_url {
        None => Database::from(database.pool().clone()),
        Some(url) => Database::new(&DatabaseSettings {
            url: url.as_str().into(),
            max_connections: 2,
            acquire_timeout: setup.proxied.map_or(setup.database_wait, |_| FOREVER),
            direct_url: None,
            statement_timeout: setup.proxied.unwrap_or(FOREVER),
            migrations: storage::MigrationSettings::default(),
        })
        .unwrap(),
    };
    let mut registry = Registry::default();
    let gateway_metrics = registry.sub_registry_with_prefix(METRICS_PREFIX);
    let storage_metrics = Arc::new(StorageMetrics::register(gateway_metrics));
    let budget_metrics = BudgetMetrics::register(gateway_metrics);
    let provider_metrics = Arc::new(ProviderMetrics::register(gateway_metrics));
    let limits = Arc::new(Limits::new(setup.limits));
    let server_metrics = Arc::new(ServerMetrics::register(gateway_metrics));
    let database = database.with_metrics(Arc::clone(&storage_metrics));
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let sink = PgRequestLog::new(&database, setup.proxied.unwrap_or(FOREVER));
    let (log, _writer) = LogQueue::start(
        Arc::new(sink),
        QueueSettings {
            capacity: setup.queue_capacity,
            group_max_rows: 256,
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(10),
        },
        Arc::clone(&storage_metrics),
    );
    let shares = ProviderShares::new(setup.shares);
    let triggers = PgTriggerLedger::new(&database, Some(setup.instance)).watching_runs(setup.watch.watched);
    let triggers: Arc<dyn TriggerLedger> = Arc::new(triggers);
    let provider = DbtProvider::new(
        Arc::new(DbtWrappedApi::new(&setup.http).unwrap()),
        log.clone(),
        shares.clone(),
        Arc::new(PgStartedRuns::new(&database)),
        Arc::clone(&triggers),
        Arc::clone(&clock),
        provider_settings(setup),
        provider_metrics,
    );
    let provider = match setup.budget {
        Some(limits) => {
            let ledger = PgRateLedger::new(&database);
            provider.with_budget(RateBudget::new(Arc::new(ledger), limits, budget_metrics))
        }
        None => provider,
    };
    let api_keys = ApiKeys::new(&database);
    let credentials = Credentials::new(&database, setup.key_ring.clone());
    let encryption_keys = credentials.keys().clone();
    let request_logs = RequestLogs::new(&database, &setup.log_reading);
    StorageMetrics::observe(gateway_metrics, &database, &request_logs, &log);
    let client_settings = client_settings(setup);
    let client_shares = ClientShares::new(&client_settings);
    let log_rows = [log.rows().clone()];
    let resources = log_rows.into_iter().chain(shares.all()).chain(client_shares.all());
    observe_shares(gateway_metrics, resources.collect());
    provider.observe(gateway_metrics);
    let registry = Arc::new(registry);
    let clients = Clients::new(
        ClientParts {
            keys: Arc::new(api_keys.clone()),
            upstreams: upstreams(setup, dbt).with_stored(Arc::new(credentials.clone()), setup.key_max_age, FOREVER),
            provider,
            database: database.clone(),
            log,
            signals: setup.signals.clone(),
            records: Records {
                credentials,
                api_keys,
                request_logs,
                run_watches: RunWatches::new(&database, Some(setup.instance)),
                run_events: RunEvents::new(&database),
                triggers,
            },
            shares: client_shares,
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&registry),
        },
        client_settings,
    );
    let state = ServerState {
        clients,
        clock,
        limits,
        addresses: Arc::new(AddressLimits::new(setup.addresses)),
        metrics: server_metrics,
        spans: None,
        settings: Arc::new(setup.server.clone()),
        shutdown: setup.shutdown.clone(),
    };
    (state, registry, encryption_keys)
}

fn provider_settings(setup: &Setup) -> ProviderSettings {
    ProviderSettings {
        retry: RetrySettings {
            max_retries: 2,
            min_pause: Duration::from_millis(1),
            max_pause: Duration::from_millis(2),
            budget_percent: setup.retry_budget_percent,
            min_retries_per_sec: setup.min_retries_per_sec,
        },
        cache: setup.cache.clone(),
        breaker: setup.breaker,
        gather: setup.gather,
        new_runs: setup.new_runs,
        log_wait: setup.log_wait,
        close_wait: FOREVER,
        open_reads: false,
        relay: setup.relay,
        stream: setup.stream,
        trigger: setup.trigger,
        graphql: setup.graphql,
        run_failure: setup.run_failure,
        row_limits: RowLimits::default(),
        instance_id: Some(setup.instance),
    }
}

fn client_settings(setup: &Setup) -> ClientSettings {
    ClientSettings {
        read_only: setup.read_only,
        allow_token_minting: setup.allow_token_minting,
        key_max_age: setup.key_max_age,
        key_capacity: 100,
        look_up_limit: FOREVER,
        row_wait: setup.log_wait,
        idempotency_ttl: setup.trigger.key_ttl,
        access_rules: setup.access_rules,
        record_connections: 10,
        search_connections: 3,
        connection_wait: Duration::from_secs(5),
        watch: setup.watch,
        max_waits: setup.max_waits,
        disconnect_grace: setup.disconnect_grace,
        max_event_streams: 100,
        max_streams_per_key: setup.max_streams_per_key,
        event_poll: Duration::from_millis(20),
        max_exports: setup.max_exports,
        export_stall: setup.export_stall,
    }
}

fn upstreams(setup: &Setup, dbt: &Running) -> Upstreams {
    let origin = setup
        .dbt_url
        .clone()
        .unwrap_or_else(|| dbt.tls_url().unwrap_or_else(|| dbt.base_url()).parse().unwrap());
    setup
        .accounts
        .iter()
        .fold(Upstreams::default(), |upstreams, (company, account, token)| {
            let upstream = Upstream {
                source: UpstreamSource::Settings,
                name: format!("account {account}"),
                account_id: AccountId(*account),
                admin_url: origin.join("/api").unwrap(),
                metadata_url: origin.clone(),
                semantic_layer_url: origin.clone(),
                token: token.as_str().into(),
            };
            upstreams.with(*company, upstream)
        })
}
