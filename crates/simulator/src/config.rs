//! What a simulator is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{Seed, Switches};

/// Settings of one simulator; many may run in one process.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where dbt's face listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the control endpoint listens. Port 0 takes a free one.
    pub control_listen: SocketAddr,
    /// The accounts, projects, jobs and runs it starts with.
    pub seed: Seed,
    /// Simulated seconds per real second: 1 is real time, 60 a minute a second, 0 a clock that only moves by hand.
    pub time_scale: f64,
    /// Simulated time at the start; the machine's when `None`.
    pub epoch: Option<DateTime<Utc>>,
    /// How many requests an account may make.
    pub rate_limit: RateLimit,
    /// How long the parts of a run take.
    pub timing: RunTiming,
    /// Behaviour that is not documented.
    pub switches: Switches,
    /// How many requests are kept for reading back.
    pub recorded_requests: usize,
    /// Largest request body in bytes; over it the answer is 413.
    pub max_body_bytes: usize,
    /// How long a webhook endpoint may take, in real time (dbt documents 10 s).
    pub webhook_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: any,
            control_listen: any,
            seed: Seed::Acme,
            time_scale: 1.0,
            epoch: None,
            rate_limit: RateLimit::default(),
            timing: RunTiming::default(),
            switches: Switches::default(),
            recorded_requests: 10_000,
            max_body_bytes: 16 * 1024 * 1024,
            webhook_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Deterministic: free ports, a fixed start (2026-01-15 09:00 UTC), a clock that only moves by
    /// [`crate::Running::advance`].
    pub fn frozen() -> Self {
        Self {
            time_scale: 0.0,
            epoch: DateTime::from_timestamp(1_768_467_600, 0),
            ..Self::default()
        }
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }
}

/// The rate limit of an account, in simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests below `/api/` a minute; `None` is no limit. dbt documents 5,000.
    pub admin_per_minute: Option<u32>,
    /// Discovery requests a minute; `None` is no limit. dbt documents 500.
    pub discovery_per_minute: Option<u32>,
    /// For how long everything is refused after an excess. dbt documents five minutes.
    pub cooldown: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            admin_per_minute: Some(5_000),
            discovery_per_minute: Some(500),
            cooldown: Duration::from_mins(5),
        }
    }
}

impl RateLimit {
    /// No limit at all, for load tests of something else.
    pub const OFF: Self = Self {
        admin_per_minute: None,
        discovery_per_minute: None,
        cooldown: Duration::ZERO,
    };
}

/// How long the parts of a run take, in simulated time. The commands of a job take what its script says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTiming {
    /// From the trigger to the start at the earliest (status 1).
    pub queued: Duration,
    /// From leaving the queue to the first step (status 2).
    pub starting: Duration,
    /// Each of the three preparing steps: clone, profile, `dbt deps`.
    pub prepare_step: Duration,
    /// A command of a job without a script of its own.
    pub command_step: Duration,
    /// From the cancellation of a started run to its end.
    pub cancelling: Duration,
    /// From the end of a run to `job.run.completed`, which waits for the artifacts.
    pub ingesting: Duration,
}

impl Default for RunTiming {
    fn default() -> Self {
        Self {
            queued: Duration::from_secs(2),
            starting: Duration::from_secs(3),
            prepare_step: Duration::from_secs(1),
            command_step: Duration::from_secs(12),
            cancelling: Duration::from_secs(2),
            ingesting: Duration::from_secs(3),
        }
    }
}
