//! How a limit a minute becomes a rate and a burst that no 60 seconds exceed.

use std::time::Duration;

/// For how long a process may use a slice, from the moment before it asked for it. It then lapses and is never given back.
pub const LEASE: Duration = Duration::from_secs(2);
/// From using a slice to the arrival of the request at dbt Cloud.
const TRAVEL: Duration = Duration::from_secs(1);
/// The window of dbt Cloud's limit.
const WINDOW: Duration = Duration::from_mins(1);
/// One part in so many of a limit may be sent at once after a pause.
const BURST_PART: i64 = 25;

/// The rate and the burst of one account and API, in microseconds for each request.
///
/// Requests that are granted within some time `t` number at most `burst + t / interval`. Those that arrive at dbt Cloud in
/// any 60 seconds were granted within 60 seconds, [`LEASE`] and the time of travel, so that they number at most the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// The limit: requests in any 60 seconds.
    pub per_minute: i64,
    /// Microseconds for each request.
    pub interval: i64,
    /// Requests at once after a pause.
    pub burst: i64,
    /// How many of these only changes may use.
    pub reserve: i64,
    /// How many of these only background work and changes may use.
    pub background: i64,
    /// Microseconds for each request that is guaranteed to background work.
    pub background_interval: i64,
}

impl BudgetLimits {
    /// The limits for that many requests a minute, from 1; percentages of them from 0 to 50.
    pub fn new(per_minute: u32, reserve_percent: u32, background_percent: u32) -> Self {
        let limit = i64::from(per_minute.max(1));
        // Two more, so that a small limit has one request each for changes, background work and reads.
        let burst = limit.min((limit + BURST_PART - 1) / BURST_PART + 2);
        let window = i64::try_from((WINDOW + LEASE + TRAVEL).as_micros()).unwrap_or(i64::MAX);
        // Requests are whole numbers: burst + window / interval < limit + 1.
        let interval = window / (limit + 1 - burst) + 1;
        let part = |percent: u32, left: i64| ((burst * i64::from(percent.min(50)) + 99) / 100).clamp(0, left);
        let reserve = part(reserve_percent, burst - 1);
        let background = part(background_percent, burst - 1 - reserve);
        Self {
            per_minute: limit,
            interval,
            burst,
            reserve,
            background,
            background_interval: interval * 100 / i64::from(background_percent.clamp(1, 50)),
        }
    }

    /// Microseconds until a used-up burst is whole again.
    pub(super) fn capacity(&self) -> i64 {
        self.burst * self.interval
    }

    pub(super) fn background_capacity(&self) -> i64 {
        self.background * self.background_interval
    }
}
