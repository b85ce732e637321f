//! Shared by the tests: the clients with keys, dbt Cloud and request log in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeZone as _, Utc};
use client::{
    AccessRules, ApiError, ClientError, ClientParts, ClientSettings, ClientShares, Clients, DbtClient, HealthSignals,
    KeySource, KeySourceError, Records, Upstreams, WatchSettings,
};
use dbt_api::{ApiAnswer, ApiRequest, WrappedApi};
use futures::stream;
use http::{HeaderMap, Method, StatusCode};
use model::{
    AccountId, ApiKeyId, Caller, CompanyId, FixedClock, RequestStamp, Role, RunId, Surface, TriggerJob, Upstream,
    UpstreamSource,
};
use provider::{
    BreakerSettings, CacheSettings, DbtProvider, FailureSettings, GatherSettings, GraphqlSettings, LogQueue,
    NewRunSettings, ProviderSettings, ProviderShares, RelaySettings, RetrySettings, RowLimits, StartedRuns,
    StreamSettings, TriggerSettings,
};
use serde_json::json;
use storage::{
    ApiKeys, Credentials, Database, DatabaseSettings, KeyHash, KeyRecord, LogReadSettings, LogRow, MemoryTriggerLedger,
    QueueSettings, RequestLog, RequestLogs, RunEvents, RunWatches, StorageError, WriteError,
};
use tokio::sync::watch;

pub(crate) const COMPANY: CompanyId = CompanyId(1);
pub(crate) const OTHER_COMPANY: CompanyId = CompanyId(2);
pub(crate) const TOKEN: &str = "dbtc_sesame_4711";

/// The text of a key; each number is another key.
pub(crate) fn key(number: u32) -> String {
    format!("dgw_{number:08x}_{}", "0f".repeat(32))
}

pub(crate) fn caller(role: Role) -> Caller {
    Caller {
        api_key_id: ApiKeyId(5),
        company_id: COMPANY,
        role,
        accounts: None,
        default_account: None,
        credentials: None,
    }
}

pub(crate) fn valid(caller: Caller) -> KeyRecord {
    KeyRecord {
        caller,
        expires_at: None,
        revoked_at: None,
        suspended_at: None,
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 4, 12, 0, 0).unwrap()
}

/// The table of keys.
#[derive(Default)]
pub(crate) struct FakeKeys {
    records: Mutex<HashMap<KeyHash, KeyRecord>>,
    lookups: AtomicUsize,
    pub(crate) unavailable: AtomicBool,
    /// Lookups do not return while this is set.
    pub(crate) blocked: watch::Sender<bool>,
}

impl FakeKeys {
    pub(crate) fn insert(&self, key: &str, record: KeyRecord) {
        let hash = KeyHash::of(key).unwrap();
        self.records.lock().unwrap().insert(hash, record);
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::Relaxed)
    }

    fn check_available(&self) -> Result<(), KeySourceError> {
        if self.unavailable.load(Ordering::Relaxed) {
            return Err(KeySourceError(StorageError::Query(sqlx::Error::PoolTimedOut)));
        }
        Ok(())
    }
}

#[async_trait]
impl KeySource for FakeKeys {
    async fn find(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, KeySourceError> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.blocked.subscribe().wait_for(|blocked| !blocked).await.unwrap();
        self.check_available()?;
        Ok(self.records.lock().unwrap().get(hash).cloned())
    }
}

/// dbt Cloud that answers every request with success and records the credentials used.
#[derive(Default)]
pub(crate) struct FakeDbt(Mutex<Vec<(String, AccountId)>>);

impl FakeDbt {
    /// Name and account of the credential used by each exchange.
    pub(crate) fn credentials(&self) -> Vec<(String, AccountId)> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl WrappedApi for FakeDbt {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        self.0.lock().unwrap().push((to.name.clone(), to.account_id));
        let lists = ["/projects/", "/runs/", "/environments/", "/jobs/"];
        let is_list = request.method() == Method::GET && lists.iter().any(|list| request.path().ends_with(list));
        let one_or_list = if is_list {
            json!({"data": [{"id": 7}], "extra": {"pagination": {"total_count": 1}}})
        } else if request.path().ends_with("/artifacts/") {
            json!({"data": ["manifest.json"]})
        } else {
            json!({"data": {"id": 7, "run_steps": []}})
        };
        let body = Ok(Bytes::from(one_or_list.to_string()));
        Ok(ApiAnswer::new(StatusCode::OK, HeaderMap::new(), stream::iter([body])))
    }
}

/// No run was started recently.
struct NoStartedRuns;

#[async_trait]
impl StartedRuns for NoStartedRuns {
    async fn was_started(&self, _: CompanyId, _: AccountId, _: RunId, _: DateTime<Utc>) -> Result<bool, StorageError> {
        Ok(false)
    }
}

/// A log that keeps every row.
#[derive(Default)]
pub(crate) struct MemoryLog {
    rows: Mutex<Vec<LogRow>>,
    pub(crate) unavailable: AtomicBool,
}

impl MemoryLog {
    pub(crate) fn rows(&self) -> Vec<LogRow> {
        self.rows.lock().unwrap().clone()
    }
}

#[async_trait]
impl RequestLog for MemoryLog {
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError> {
        if self.unavailable.load(Ordering::Relaxed) {
            return Err(WriteError::TooSlow(Duration::from_secs(1)));
        }
        self.rows.lock().unwrap().extend_from_slice(rows);
        Ok(())
    }
}

/// The clients and everything around them.
pub(crate) struct TestClients {
    pub(crate) clients: Clients,
    pub(crate) keys: Arc<FakeKeys>,
    pub(crate) dbt: Arc<FakeDbt>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) fn settings() -> ClientSettings {
    ClientSettings {
        read_only: false,
        allow_token_minting: false,
        key_max_age: Duration::from_hours(1),
        key_capacity: 1000,
        look_up_limit: Duration::from_mins(1),
        row_wait: Duration::from_mins(1),
        idempotency_ttl: Duration::from_hours(1),
        access_rules: AccessRules::default(),
        record_connections: 10,
        search_connections: 3,
        connection_wait: Duration::from_secs(5),
        watch: WatchSettings {
            min_pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(1),
            waited_max_pause: Duration::from_secs(1),
            looks_per_minute: 1,
            watched: Duration::from_hours(1),
            lease: Duration::from_mins(1),
            log_max_bytes: 1 << 20,
        },
        max_waits: 10,
        disconnect_grace: Duration::from_secs(1),
        max_event_streams: 10,
        max_streams_per_key: 10,
        event_poll: Duration::from_secs(1),
        max_exports: 1,
        export_stall: Duration::from_secs(1),
    }
}

/// A database that does not exist: these tests read no records.
fn unreachable_database() -> Database {
    Database::new(&DatabaseSettings {
        url: "postgres://user@127.0.0.1:1/nothing".into(),
        max_connections: 1,
        acquire_timeout: Duration::from_millis(10),
        direct_url: None,
        statement_timeout: Duration::from_secs(10),
        migrations: storage::MigrationSettings::default(),
    })
    .unwrap()
}

fn log_reading() -> LogReadSettings {
    LogReadSettings {
        connections: 1,
        acquire_timeout: Duration::from_millis(10),
        statement_timeout: Duration::from_secs(1),
    }
}

impl TestClients {
    /// Clients with these credentials: company, account, name.
    pub(crate) fn with_credentials(settings: ClientSettings, credentials: &[(CompanyId, i64, &str)]) -> Self {
        let (dbt, log, keys) = (
            Arc::<FakeDbt>::default(),
            Arc::<MemoryLog>::default(),
            Arc::<FakeKeys>::default(),
        );
        let clock = Arc::new(FixedClock::at(noon()));
        let sink: Arc<MemoryLog> = Arc::clone(&log);
        let queue = QueueSettings {
            capacity: 16,
            group_max_rows: 16,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_millis(500),
        };
        let (queue, _writer) = LogQueue::start(sink, queue, Arc::default());
        let api: Arc<FakeDbt> = Arc::clone(&dbt);
        let provider = DbtProvider::new(
            api,
            queue.clone(),
            ProviderShares::default(),
            Arc::new(NoStartedRuns),
            Arc::new(MemoryTriggerLedger::default()),
            Arc::<FixedClock>::clone(&clock),
            provider_settings(),
            Arc::default(),
        );
        let upstreams = credentials
            .iter()
            .fold(Upstreams::default(), |upstreams, (company, account, name)| {
                upstreams.with(*company, upstream(AccountId(*account), name))
            });
        let source: Arc<FakeKeys> = Arc::clone(&keys);
        let records = Records {
            credentials: Credentials::new(&unreachable_database(), None),
            api_keys: ApiKeys::new(&unreachable_database()),
            request_logs: RequestLogs::new(&unreachable_database(), &log_reading()),
            run_watches: RunWatches::new(&unreachable_database(), None),
            run_events: RunEvents::new(&unreachable_database()),
            triggers: Arc::new(MemoryTriggerLedger::default()),
        };
        let clients_clock: Arc<FixedClock> = Arc::clone(&clock);
        let parts = ClientParts {
            keys: source,
            upstreams,
            provider,
            database: unreachable_database(),
            log: queue,
            signals: HealthSignals::default(),
            records,
            shares: ClientShares::new(&settings),
            clock: clients_clock,
            metrics: Arc::default(),
        };
        let clients = Clients::new(parts, settings);
        Self {
            clients,
            keys,
            dbt,
            log,
            clock,
        }
    }

    /// Clients with one account, 10.
    pub(crate) fn new() -> Self {
        Self::with_credentials(settings(), &[(COMPANY, 10, "production")])
    }

    /// Authenticates one request with that key.
    pub(crate) async fn with_key(&self, key: &str) -> Result<DbtClient, ClientError> {
        let stamp = RequestStamp::now(&*self.clock, Surface::Rest, None);
        self.clients.authenticate(stamp, key).await
    }

    /// Authenticates one request of that caller.
    pub(crate) async fn client_of(&self, caller: Caller) -> DbtClient {
        let key = key(u32::MAX);
        self.keys.insert(&key, valid(caller));
        self.with_key(&key).await.unwrap()
    }
}

fn provider_settings() -> ProviderSettings {
    ProviderSettings {
        retry: RetrySettings {
            max_retries: 0,
            min_pause: Duration::from_millis(1),
            max_pause: Duration::from_millis(1),
            ..RetrySettings::default()
        },
        cache: CacheSettings::default(),
        breaker: BreakerSettings::default(),
        gather: GatherSettings {
            concurrency: 1,
            hold_max_bytes: 2 << 20,
            window_max_bytes: 8 << 20,
            max_filtered_pages: 1000,
        },
        new_runs: NewRunSettings {
            young: Duration::ZERO,
            wait: Duration::ZERO,
            pause: Duration::ZERO,
        },
        log_wait: Duration::from_secs(5),
        close_wait: Duration::from_secs(2),
        open_reads: false,
        stream: StreamSettings {
            buffer_pieces: 2,
            stall: Duration::from_mins(1),
        },
        trigger: TriggerSettings::default(),
        relay: RelaySettings {
            collect_max_bytes: 1 << 10,
            keep_static_subdomain: false,
        },
        graphql: GraphqlSettings {
            max_pages: 5,
            poll_min: Duration::from_millis(200),
            poll_max: Duration::from_secs(5),
            deadline: Duration::from_mins(2),
        },
        run_failure: FailureSettings {
            max_nodes: 1,
            message_max_bytes: 256,
            log_tail_bytes: 256,
        },
        row_limits: RowLimits::default(),
        instance_id: None,
    }
}

pub(crate) fn upstream(account_id: AccountId, name: &str) -> Upstream {
    let url: url::Url = "https://dbt.test/api".parse().unwrap();
    Upstream {
        source: UpstreamSource::Settings,
        name: name.to_owned(),
        account_id,
        metadata_url: url.clone(),
        semantic_layer_url: url.clone(),
        admin_url: url,
        token: TOKEN.into(),
    }
}

pub(crate) fn trigger_input() -> TriggerJob {
    TriggerJob {
        cause: "nightly".to_owned(),
        ..TriggerJob::default()
    }
}
