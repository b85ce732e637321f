//! The limits of the provider.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use model::InstanceId;
use storage::RowLimits;

/// When and how often a read is sent again.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// The number of retries, 0 to 2.
    pub max_retries: usize,
    /// The first pause; each later one is twice as long, all with jitter.
    pub min_pause: Duration,
    /// The longest pause. A longer `Retry-After` ends the retries.
    pub max_pause: Duration,
    /// The part of a host's requests that may be retries, from 0 to 100.
    pub budget_percent: u8,
    /// The number of retries a second to a host that are always possible.
    pub min_retries_per_sec: u32,
}

impl Default for RetrySettings {
    /// As in `config/default.toml`.
    fn default() -> Self {
        Self {
            max_retries: 2,
            min_pause: Duration::from_millis(100),
            max_pause: Duration::from_secs(2),
            budget_percent: 10,
            min_retries_per_sec: 1,
        }
    }
}

impl RetrySettings {
    pub(crate) fn pauses(self) -> impl Iterator<Item = Duration> {
        ExponentialBuilder::default()
            .with_min_delay(self.min_pause)
            .with_max_delay(self.max_pause)
            .with_max_times(self.max_retries)
            .with_jitter()
            .build()
    }
}

/// Coalescing and keeping of answers.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// Whether identical reads in flight share an exchange, and answers are kept.
    pub is_enabled: bool,
    /// How much memory the kept answers use, in bytes.
    pub max_bytes: u64,
    /// The longest body that is shared, in bytes. A longer one is streamed to the request that asked first.
    pub max_body_bytes: usize,
    /// For how long a run that ended, its list of artifacts and its artifacts are fresh.
    pub ended_fresh: Duration,
    /// For how long the answers of other reads are fresh, by the name of the request type. Not named: zero.
    pub fresh: Vec<(String, Duration)>,
    /// How old an answer may be that is served while dbt Cloud does not answer; zero: none.
    pub stale: Duration,
}

impl Default for CacheSettings {
    /// As in `config/default.toml`.
    fn default() -> Self {
        Self {
            is_enabled: true,
            max_bytes: 64 << 20,
            max_body_bytes: 256 << 10,
            ended_fresh: Duration::from_mins(10),
            fresh: vec![("get_run".to_owned(), Duration::from_secs(1))],
            stale: Duration::ZERO,
        }
    }
}

/// When a circuit opens and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// The number of exchanges within `window` below which it stays closed; zero: never opens.
    pub min_exchanges: u32,
    /// The part of failures at which it opens, from 1 to 100.
    pub failure_percent: u32,
    /// What counts as recent.
    pub window: Duration,
    /// How long it is open the first time; twice as long after each probe that fails.
    pub min_open: Duration,
    /// The longest time.
    pub max_open: Duration,
}

impl Default for BreakerSettings {
    /// As in `config/default.toml`.
    fn default() -> Self {
        Self {
            min_exchanges: 20,
            failure_percent: 50,
            window: Duration::from_secs(10),
            min_open: Duration::from_secs(2),
            max_open: Duration::from_secs(10),
        }
    }
}

/// Limits of lists that span several pages of dbt's.
#[derive(Debug, Clone, Copy)]
pub struct GatherSettings {
    /// The number of dbt's pages that one request fetches concurrently, from 1.
    pub concurrency: usize,
    /// The longest list that is held whole, in bytes of dbt's answers. A longer one is sent as it is read.
    pub hold_max_bytes: u64,
    /// How much of a long list is in memory, in bytes; at least one page of dbt's.
    pub window_max_bytes: u64,
    /// The largest number of dbt's pages of a list that the gateway filters, from 1.
    pub max_filtered_pages: usize,
}

/// Limits of streamed answers.
#[derive(Debug, Clone, Copy)]
pub struct StreamSettings {
    /// The number of pieces buffered for a caller that is slower than dbt Cloud, from 1. A piece is what one read of the
    /// connection returned, at most some hundred kilobytes.
    pub buffer_pieces: usize,
    /// A caller that reads nothing for this long counts as gone.
    pub stall: Duration,
}

/// The limits of the provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Retries of reads.
    pub retry: RetrySettings,
    /// Coalescing and keeping of answers.
    pub cache: CacheSettings,
    /// When a credential's exchanges pause.
    pub breaker: BreakerSettings,
    /// Lists that span several pages of dbt's.
    pub gather: GatherSettings,
    /// Handling of a 404 for a run that was just started.
    pub new_runs: NewRunSettings,
    /// Maximum wait for the commit of a row; the request is then refused.
    pub log_wait: Duration,
    /// Maximum wait of a change's answer for the close of its row.
    pub close_wait: Duration,
    /// Whether the rows of reads are opened before the work too, as those of changes always are.
    pub open_reads: bool,
    /// Streamed answers.
    pub stream: StreamSettings,
    /// Starting runs.
    pub trigger: TriggerSettings,
    /// The relay.
    pub relay: RelaySettings,
    /// GraphQL queries that take several exchanges.
    pub graphql: GraphqlSettings,
    /// The failure report of a run.
    pub run_failure: FailureSettings,
    /// Maximum lengths of texts in a row.
    pub row_limits: RowLimits,
    /// The process that writes the rows.
    pub instance_id: Option<InstanceId>,
}

/// Limits of the failure report of a run.
#[derive(Debug, Clone, Copy)]
pub struct FailureSettings {
    /// Maximum number of failed nodes in the report.
    pub max_nodes: usize,
    /// Maximum length of a node's message, in bytes.
    pub message_max_bytes: usize,
    /// Maximum length of the excerpt from the end of the step's log, in bytes.
    pub log_tail_bytes: usize,
}

/// Limits of GraphQL queries that take several exchanges.
#[derive(Debug, Clone, Copy)]
pub struct GraphqlSettings {
    /// Maximum number of dbt's pages that one query gathers, from 1.
    pub max_pages: usize,
    /// The first pause before the result of a Semantic Layer query is polled; each later one is 1.5 times as long.
    pub poll_min: Duration,
    /// The longest such pause.
    pub poll_max: Duration,
    /// Maximum duration of such a query.
    pub deadline: Duration,
}

/// Limits and options of the relay.
#[derive(Debug, Clone, Copy)]
pub struct RelaySettings {
    /// A body up to this length is collected and its row committed before it leaves; a longer one is streamed.
    pub collect_max_bytes: usize,
    /// Whether an account's `static_subdomain` is passed through. Clients that read it bypass the gateway.
    pub keep_static_subdomain: bool,
}

/// Handling of a 404 for a run that was just started.
#[derive(Debug, Clone, Copy)]
pub struct NewRunSettings {
    /// How long a run counts as just started; zero disables the handling.
    pub young: Duration,
    /// How long the read is repeated.
    pub wait: Duration,
    /// The pause between two such reads.
    pub pause: Duration,
}

/// How runs are started, and how long a lost answer is looked for.
#[derive(Debug, Clone, Copy)]
pub struct TriggerSettings {
    /// Whether a marker is added to the cause on the REST surface.
    pub marks: bool,
    /// The same on the dbt-compatible surface.
    pub marks_relayed: bool,
    /// For how long the caller waits while the run is looked for.
    pub resolve: Duration,
    /// For how long it is looked for in all.
    pub horizon: Duration,
    /// For how long after that, if dbt Cloud cannot be asked.
    pub give_up_after: Duration,
    /// The pause after the first look; each later one is twice as long.
    pub min_pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
    /// Pages of 100 runs that one look reads at most, from 1.
    pub look_pages: usize,
    /// By how much the clocks of dbt Cloud and of the database may differ.
    pub clock_difference: Duration,
    /// For how long a run of the gateway's counts as active though dbt Cloud does not show it.
    pub unlisted: Duration,
    /// For how long a process owns an attempt or the lock of a job before it renews it.
    pub lease: Duration,
    /// For how long a request waits for the lock of a job.
    pub job_wait: Duration,
    /// For how long the first answer to an idempotency key is kept.
    pub key_ttl: Duration,
    /// For how long an identical trigger on the dbt-compatible surface is answered with the first one's run; zero: never.
    pub repeat_window: Duration,
}

impl Default for TriggerSettings {
    /// As in `config/default.toml`.
    fn default() -> Self {
        Self {
            marks: true,
            marks_relayed: false,
            resolve: Duration::from_secs(20),
            horizon: Duration::from_mins(10),
            give_up_after: Duration::from_hours(24),
            min_pause: Duration::from_millis(250),
            max_pause: Duration::from_secs(10),
            look_pages: 10,
            clock_difference: Duration::from_secs(5),
            unlisted: Duration::from_mins(1),
            lease: Duration::from_secs(15),
            job_wait: Duration::from_secs(30),
            key_ttl: Duration::from_hours(24),
            repeat_window: Duration::ZERO,
        }
    }
}
