//! The state of one running simulator; many may run in one process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::Config;
use crate::faults::FaultBox;
use crate::limiter::{RateCount, RateLimit};
use crate::recorder::Recorder;
use crate::seed;
use crate::switches::Switches;
use crate::timing::RunTiming;
use crate::world::{JobScript, World};

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) recorder: Recorder,
    pub(crate) faults: FaultBox,
    rate_limit: Mutex<RateLimit>,
    pub(crate) timing: RunTiming,
    pub(crate) max_body_bytes: usize,
    /// Delivers webhooks.
    pub(crate) http: reqwest::Client,
    pub(crate) webhook_timeout: Duration,
    /// Notified after every call that may change the next event.
    pub(crate) changed: Notify,
    world: Mutex<World>,
    switches: Mutex<Switches>,
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        let clock = Clock::new(config.epoch, config.time_scale);
        let world = seed::grow(&config.seed, clock.now(), &config.timing);
        Self {
            clock,
            recorder: Recorder::new(config.recorded_requests),
            faults: FaultBox::default(),
            rate_limit: Mutex::new(config.rate_limit),
            timing: config.timing,
            max_body_bytes: config.max_body_bytes,
            http: http_client(),
            webhook_timeout: config.webhook_timeout,
            changed: Notify::new(),
            world: Mutex::new(world),
            switches: Mutex::new(config.switches.clone()),
        }
    }

    /// Locks the world; never held across an `await`.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn switches(&self) -> Switches {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_switches(&self, switches: Switches) {
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner) = switches;
    }

    /// Moves the clock and announces the events up to then.
    pub(crate) fn advance(&self, by: Duration) -> chrono::DateTime<chrono::Utc> {
        let now = self.clock.advance(by);
        let switches = self.switches();
        self.world().settle(now, &self.timing, &switches);
        self.changed.notify_one();
        now
    }

    pub(crate) fn set_scale(&self, scale: f64) {
        self.clock.set_scale(scale);
        self.changed.notify_one();
    }

    /// `false` when there is no such job.
    pub(crate) fn set_script(&self, job_id: i64, script: JobScript) -> bool {
        match self.world().account_with_job(job_id) {
            Some(account) => {
                account.scripts.insert(job_id, script);
                true
            }
            None => false,
        }
    }

    /// What each account has sent: to the Administrative API, then to Discovery.
    pub(crate) fn rate_counts(&self) -> BTreeMap<i64, [RateCount; 2]> {
        let world = self.world();
        let counts = world
            .accounts
            .iter()
            .map(|(id, account)| (*id, account.limiter.counts()));
        counts.collect()
    }

    pub(crate) fn rate_limit(&self) -> RateLimit {
        *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_rate_limit(&self, limit: RateLimit) {
        *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    pub(crate) fn reset_limits(&self) {
        for account in self.world().accounts.values_mut() {
            account.limiter.reset();
        }
    }
}

/// A client without proxies and redirects.
fn http_client() -> reqwest::Client {
    // An error means that the process has installed a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build();
    built.unwrap_or_default()
}
