//! Shared by the tests: a provider between a scripted dbt Cloud and a log in memory, with one journal of both.

mod dbt;
mod log;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeZone as _, Utc};
use model::{
    AccountId, ApiKeyId, Caller, ClientContext, CompanyId, FixedClock, InstanceId, Page, RequestStamp, RequestType,
    Role, RunId, Surface, TriggerJob, Upstream, UpstreamSource,
};
use provider::{
    BreakerSettings, CacheSettings, DbtProvider, FailureSettings, GatherSettings, GraphqlSettings, Listing, LogQueue,
    NewRunSettings, ProviderSettings, ProviderShares, RelaySettings, RetrySettings, RowLimits, StartedRuns,
    StreamSettings, TriggerSettings,
};
use storage::{MemoryTriggerLedger, QueueSettings, StorageError};

pub(crate) use dbt::{FakeDbt, Reply, query, slice};
pub(crate) use log::{LogMode, MemoryLog, exchanges, reasons};

pub(crate) const ACCOUNT: AccountId = AccountId(70_403_103_932_111);

/// The calls to dbt Cloud and to the log, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Waits for an event for at most an hour of the paused clock, which passes instantly once no task can run.
pub(super) async fn within_an_hour<T>(event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_hours(1), event).await;
    waited.unwrap_or_else(|_| panic!("the event did not happen"))
}

/// The started runs in the log, and the lookups of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeStartedRuns(Arc<Mutex<StartedState>>);

#[derive(Debug, Default)]
struct StartedState {
    runs: Vec<RunId>,
    unavailable: bool,
    lookups: Vec<(CompanyId, AccountId, RunId, DateTime<Utc>)>,
}

impl FakeStartedRuns {
    pub(crate) fn add(&self, run: RunId) {
        self.0.lock().unwrap().runs.push(run);
    }

    pub(crate) fn make_unavailable(&self) {
        self.0.lock().unwrap().unavailable = true;
    }

    pub(crate) fn lookups(&self) -> Vec<(CompanyId, AccountId, RunId, DateTime<Utc>)> {
        self.0.lock().unwrap().lookups.clone()
    }
}

#[async_trait]
impl StartedRuns for FakeStartedRuns {
    async fn was_started(
        &self,
        company: CompanyId,
        account: AccountId,
        run: RunId,
        since: DateTime<Utc>,
    ) -> Result<bool, StorageError> {
        let mut state = self.0.lock().unwrap();
        state.lookups.push((company, account, run, since));
        if state.unavailable {
            return Err(StorageError::Query(sqlx::Error::PoolTimedOut));
        }
        Ok(state.runs.contains(&run))
    }
}

/// A provider with a fake dbt Cloud and a log in memory.
pub(crate) struct TestProvider {
    pub(crate) provider: DbtProvider,
    pub(crate) started: FakeStartedRuns,
    pub(crate) dbt: Arc<FakeDbt>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) journal: Journal,
    clock: Arc<FixedClock>,
}

pub(crate) fn settings() -> ProviderSettings {
    ProviderSettings {
        retry: RetrySettings {
            max_retries: 2,
            min_pause: Duration::from_millis(100),
            max_pause: Duration::from_secs(10),
            ..RetrySettings::default()
        },
        cache: CacheSettings {
            is_enabled: false,
            ..CacheSettings::default()
        },
        breaker: BreakerSettings::default(),
        gather: gather(),
        new_runs: NewRunSettings {
            young: Duration::from_mins(1),
            wait: Duration::from_secs(3),
            pause: Duration::from_millis(500),
        },
        log_wait: Duration::from_secs(5),
        close_wait: Duration::from_secs(2),
        open_reads: false,
        trigger: TriggerSettings {
            resolve: Duration::from_millis(400),
            min_pause: Duration::from_millis(10),
            max_pause: Duration::from_millis(100),
            ..TriggerSettings::default()
        },
        relay: RelaySettings {
            collect_max_bytes: 1 << 10,
            keep_static_subdomain: false,
        },
        stream: StreamSettings {
            buffer_pieces: 2,
            stall: Duration::from_mins(1),
        },
        graphql: GraphqlSettings {
            max_pages: 5,
            poll_min: Duration::from_millis(200),
            poll_max: Duration::from_secs(5),
            deadline: Duration::from_mins(2),
        },
        run_failure: FailureSettings {
            max_nodes: 3,
            message_max_bytes: 40,
            log_tail_bytes: 60,
        },
        row_limits: RowLimits::default(),
        instance_id: Some(InstanceId(9)),
    }
}

impl TestProvider {
    /// dbt Cloud answers by `script`, which gets the number of the request, from 1, and the request.
    pub(crate) fn with(script: impl Fn(usize, &dbt_api::ApiRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_settings(settings(), 64, script)
    }

    pub(crate) fn with_settings(
        settings: ProviderSettings,
        capacity: usize,
        script: impl Fn(usize, &dbt_api::ApiRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with_shares(settings, capacity, ProviderShares::default(), script)
    }

    pub(crate) fn with_shares(
        settings: ProviderSettings,
        capacity: usize,
        shares: ProviderShares,
        script: impl Fn(usize, &dbt_api::ApiRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let journal = Journal::default();
        let dbt = Arc::new(FakeDbt::new(journal.clone(), script));
        let log = Arc::new(MemoryLog::new(journal.clone()));
        let queue = QueueSettings {
            capacity,
            group_max_rows: 100,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_millis(500),
        };
        let sink: Arc<MemoryLog> = Arc::clone(&log);
        let (queue, _writer) = LogQueue::start(sink, queue, Arc::default());
        let clock = Arc::new(FixedClock::at(Utc.with_ymd_and_hms(2026, 3, 4, 5, 6, 7).unwrap()));
        let api: Arc<FakeDbt> = Arc::clone(&dbt);
        let started = FakeStartedRuns::default();
        let provider = DbtProvider::new(
            api,
            queue,
            shares,
            Arc::new(started.clone()),
            Arc::new(MemoryTriggerLedger::default()),
            Arc::<FixedClock>::clone(&clock),
            settings,
            Arc::default(),
        );
        Self {
            provider,
            started,
            dbt,
            log,
            journal,
            clock,
        }
    }

    pub(crate) fn stamp(&self) -> RequestStamp {
        RequestStamp::now(&*self.clock, Surface::Rest, None)
    }

    /// The context of a request that the gate admitted.
    #[expect(clippy::disallowed_methods, reason = "the gate is not part of these tests")]
    pub(crate) fn ctx(&self, request_type: RequestType) -> ClientContext {
        ClientContext::admitted(self.stamp(), request_type, caller(), Arc::new(upstream()))
    }
}

/// The page of a list that is held whole.
pub(crate) fn whole<T>(listing: Listing<T>) -> Page<T> {
    match listing {
        Listing::Whole(page) => page,
        Listing::Streamed(_) => panic!("a streamed list"),
    }
}

/// Three pages concurrently; lists up to 2 MiB are held.
pub(crate) fn gather() -> GatherSettings {
    GatherSettings {
        concurrency: 3,
        hold_max_bytes: 2 << 20,
        window_max_bytes: 8 << 20,
        max_filtered_pages: 1000,
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        api_key_id: ApiKeyId(5),
        company_id: CompanyId(1),
        role: Role::Operator,
        accounts: None,
        default_account: None,
        credentials: None,
    }
}

pub(crate) fn upstream() -> Upstream {
    let url: url::Url = "https://dbt.test/api".parse().unwrap();
    Upstream {
        source: UpstreamSource::Settings,
        name: "production".to_owned(),
        account_id: ACCOUNT,
        metadata_url: url.clone(),
        semantic_layer_url: url.clone(),
        admin_url: url,
        token: "dbtc_sesame_4711".into(),
    }
}

pub(crate) fn trigger_input() -> TriggerJob {
    TriggerJob {
        cause: "nightly".to_owned(),
        ..TriggerJob::default()
    }
}
