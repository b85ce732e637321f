//! The settings of a test gateway.

use super::*;

/// The settings of a test gateway.
pub(crate) struct Setup {
    pub(crate) simulator: Config,
    pub(crate) http: HttpSettings,
    pub(crate) server: ServerSettings,
    pub(crate) limits: LimitSettings,
    pub(crate) addresses: AddressLimitSettings,
    /// Encrypts stored tokens.
    pub(crate) key_ring: Option<Arc<KeyRing>>,
    pub(crate) access_rules: AccessRules,
    /// The accounts of companies, with their dbt tokens.
    pub(crate) accounts: Vec<(CompanyId, i64, String)>,
    /// Replaces the address of the simulator.
    pub(crate) dbt_url: Option<Url>,
    /// Replaces the database of the test for keys and log.
    pub(crate) database_url: Option<String>,
    /// How long a connection to that database is waited for.
    pub(crate) database_wait: Duration,
    /// The database of the test is reached through [`TestApp::proxy`], with this deadline of statements.
    pub(crate) proxied: Option<Duration>,
    /// What the tasks of the process would report.
    pub(crate) signals: HealthSignals,
    pub(crate) read_only: bool,
    /// The TTL of cached keys and credentials.
    pub(crate) key_max_age: Duration,
    pub(crate) log_wait: Duration,
    /// How long a 404 for a new run is retried.
    pub(crate) new_runs: NewRunSettings,
    pub(crate) log_reading: LogReadSettings,
    pub(crate) max_exports: usize,
    pub(crate) export_stall: Duration,
    pub(crate) queue_capacity: usize,
    pub(crate) shares: ShareSettings,
    /// `None`: requests to dbt Cloud are not limited.
    pub(crate) budget: Option<BudgetSettings>,
    pub(crate) gather: GatherSettings,
    pub(crate) stream: StreamSettings,
    pub(crate) trigger: TriggerSettings,
    pub(crate) retry_budget_percent: u8,
    pub(crate) min_retries_per_sec: u32,
    pub(crate) cache: CacheSettings,
    pub(crate) breaker: BreakerSettings,
    /// The process that owns leases.
    pub(crate) instance: InstanceId,
    pub(crate) watch: WatchSettings,
    pub(crate) max_waits: usize,
    pub(crate) disconnect_grace: Duration,
    pub(crate) max_streams_per_key: usize,
    pub(crate) relay: RelaySettings,
    pub(crate) allow_token_minting: bool,
    pub(crate) graphql: GraphqlSettings,
    pub(crate) run_failure: FailureSettings,
    pub(crate) shutdown: Shutdown,
}

/// Reads of the same test in sequence see what has changed between them.
fn nothing_kept() -> CacheSettings {
    CacheSettings {
        fresh: Vec::new(),
        ended_fresh: Duration::ZERO,
        ..CacheSettings::default()
    }
}

/// Tests make dbt Cloud fail again and again.
fn never_open() -> BreakerSettings {
    BreakerSettings {
        min_exchanges: 0,
        ..BreakerSettings::default()
    }
}

/// No timeout expires, but heartbeats are frequent.
fn server() -> ServerSettings {
    ServerSettings {
        public_url: None,
        max_body_bytes: 1 << 20,
        body_timeout: FOREVER,
        graphql: GraphqlLimits {
            max_depth: 32,
            max_tokens: 10_000,
        },
        event_heartbeat: Duration::from_millis(200),
        trusted_proxies: Vec::new(),
        cors_origins: Vec::new(),
    }
}

/// Looks every few milliseconds.
fn quickly() -> WatchSettings {
    WatchSettings {
        min_pause: Duration::from_millis(20),
        max_pause: Duration::from_millis(100),
        waited_max_pause: Duration::from_millis(50),
        looks_per_minute: 100_000,
        watched: Duration::from_hours(1),
        lease: Duration::from_secs(30),
        log_max_bytes: 1 << 20,
    }
}

impl Default for Setup {
    /// Company 1 has Acme's account; no timeout expires.
    fn default() -> Self {
        Self {
            simulator: Config::frozen(),
            http: HttpSettings {
                connect_timeout: FOREVER,
                read_timeout: FOREVER,
                deadline: FOREVER,
                allow_private_addresses: true,
                ..HttpSettings::default()
            },
            server: server(),
            limits: LimitSettings {
                requests_per_second: 0,
                burst: 1,
                replicas: 1,
                max_url_bytes: 16 << 10,
                max_header_bytes: 32 << 10,
            },
            addresses: AddressLimitSettings {
                max_requests: 0,
                failed_keys_per_minute: 0,
            },
            key_ring: Some(Arc::new(KeyRing::generate("test").unwrap())),
            // The simulator is on loopback.
            access_rules: AccessRules {
                allow_private_addresses: true,
                allow_plain_http: true,
            },
            accounts: vec![(COMPANY, acme::ACCOUNT_ID, acme::TOKEN.to_owned())],
            dbt_url: None,
            database_url: None,
            database_wait: Duration::from_millis(50),
            proxied: None,
            signals: HealthSignals::default(),
            read_only: false,
            key_max_age: Duration::from_secs(4),
            log_wait: FOREVER,
            new_runs: NewRunSettings {
                young: Duration::from_mins(1),
                wait: Duration::from_millis(5),
                pause: Duration::from_millis(1),
            },
            log_reading: LogReadSettings {
                connections: 3,
                acquire_timeout: FOREVER,
                statement_timeout: FOREVER,
            },
            max_exports: 4,
            export_stall: FOREVER,
            queue_capacity: 4096,
            shares: ShareSettings::default(),
            budget: None,
            gather: GatherSettings {
                concurrency: 8,
                hold_max_bytes: 2 << 20,
                window_max_bytes: 8 << 20,
                max_filtered_pages: 1000,
            },
            retry_budget_percent: 100,
            min_retries_per_sec: 1000,
            cache: nothing_kept(),
            breaker: never_open(),
            trigger: TriggerSettings {
                resolve: Duration::from_millis(400),
                min_pause: Duration::from_millis(10),
                max_pause: Duration::from_millis(100),
                ..TriggerSettings::default()
            },
            instance: InstanceId(1),
            watch: quickly(),
            max_waits: 100,
            disconnect_grace: Duration::from_millis(100),
            max_streams_per_key: 10,
            relay: RelaySettings {
                collect_max_bytes: 256 << 10,
                keep_static_subdomain: false,
            },
            allow_token_minting: false,
            stream: StreamSettings {
                buffer_pieces: 2,
                stall: FOREVER,
            },
            run_failure: FailureSettings {
                max_nodes: 50,
                message_max_bytes: 4096,
                log_tail_bytes: 8192,
            },
            graphql: GraphqlSettings {
                max_pages: 10,
                poll_min: Duration::from_millis(1),
                poll_max: Duration::from_millis(20),
                deadline: FOREVER,
            },
            shutdown: Shutdown::default(),
        }
    }
}

impl Setup {
    /// Sets the public URL of the gateway.
    pub(crate) fn public_url(mut self, url: &'static str) -> Self {
        self.server.public_url = Some(Uri::from_static(url));
        self
    }

    pub(crate) async fn start(self) -> TestApp {
        TestApp::with(self).await
    }
}
