//! The limits and options of starting a run.

use std::time::Duration;

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
            lease: Duration::from_secs(15),
            job_wait: Duration::from_secs(30),
            key_ttl: Duration::from_hours(24),
            repeat_window: Duration::ZERO,
        }
    }
}
