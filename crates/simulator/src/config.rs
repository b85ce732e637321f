//! The settings of a simulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::limiter::RateLimit;
use crate::seed::Seed;
use crate::switches::Switches;
use crate::timing::RunTiming;

/// Settings of one simulator; many may run in one process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of dbt's APIs; port 0 chooses a free one.
    pub listen: SocketAddr,
    /// The address of dbt's APIs over TLS, with HTTP/2 and HTTP/1.1; none when `None`, a free port when it is 0.
    pub tls_listen: Option<SocketAddr>,
    /// The file that the certificate of `tls_listen` is written to, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The address of the control endpoint; port 0 chooses a free one.
    pub control_listen: SocketAddr,
    /// The accounts, projects, jobs and runs it starts with.
    pub seed: Seed,
    /// Simulated seconds per real second: 1 is real time; with 0 only [`crate::Running::advance`] moves the clock.
    pub time_scale: f64,
    /// Simulated time at the start; the system time when `None`.
    pub epoch: Option<DateTime<Utc>>,
    /// The rate limit of each account.
    pub rate_limit: RateLimit,
    /// How long the parts of a run take.
    pub timing: RunTiming,
    /// Undocumented behaviour.
    pub switches: Switches,
    /// The number of recorded requests that are kept.
    pub recorded_requests: usize,
    /// The largest request body in bytes; a larger one is answered with 413.
    pub max_body_bytes: usize,
    /// The time limit of a webhook endpoint, in real time (dbt documents 10 s).
    pub webhook_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: any,
            tls_listen: None,
            ca_file: None,
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
    /// Deterministic: a fixed start (2026-01-15 09:00 UTC), and a clock that only [`crate::Running::advance`] moves.
    pub fn frozen() -> Self {
        Self {
            time_scale: 0.0,
            epoch: DateTime::from_timestamp(1_768_467_600, 0),
            ..Self::default()
        }
    }

    /// The same settings with a TLS listener on a free port.
    #[must_use]
    pub fn with_tls(mut self) -> Self {
        self.tls_listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        self
    }

    /// The same settings with another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }
}
