//! The rate limit of an account: a number of requests a minute; after an excess, a cooldown in which all are refused.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// The rate limit of an account, in simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests below `/api/` a minute; `None` is no limit. dbt documents 5,000.
    pub admin_per_minute: Option<u32>,
    /// Discovery requests a minute; `None` is no limit. dbt documents 500.
    pub discovery_per_minute: Option<u32>,
    /// How long every request is refused after an excess. dbt documents five minutes.
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
    /// No limit, for load tests of other parts.
    pub const OFF: Self = Self {
        admin_per_minute: None,
        discovery_per_minute: None,
        cooldown: Duration::ZERO,
    };
}

/// The APIs that are counted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    Admin,
    Discovery,
}

/// Counters of one account, in simulated time.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    admin: Window,
    discovery: Window,
}

/// What an account has sent to one API while it had a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RateCount {
    /// The most requests in any 60 seconds, refused ones included.
    pub most_in_a_minute: usize,
    /// Requests answered with 429.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Window {
    /// The requests of the last 60 seconds.
    recent: VecDeque<DateTime<Utc>>,
    closed_until: Option<DateTime<Utc>>,
    count: RateCount,
}

impl Limiter {
    /// Counts a request.
    ///
    /// # Errors
    /// The limit is reached; the duration is the rest of the cooldown.
    pub(crate) fn take(&mut self, budget: Budget, limit: &RateLimit, now: DateTime<Utc>) -> Result<(), Duration> {
        let (window, allowed) = match budget {
            Budget::Admin => (&mut self.admin, limit.admin_per_minute),
            Budget::Discovery => (&mut self.discovery, limit.discovery_per_minute),
        };
        let Some(allowed) = allowed else { return Ok(()) };
        window.add(now);
        if let Some(until) = window.closed_until {
            if now < until {
                window.count.refused += 1;
                return Err((until - now).to_std().unwrap_or_default());
            }
            // The excess is forgiven.
            window.closed_until = None;
            window.recent = [now].into();
        }
        if window.recent.len() > allowed as usize {
            window.count.refused += 1;
            window.closed_until = Some(now + TimeDelta::from_std(limit.cooldown).unwrap_or_default());
            return Err(limit.cooldown);
        }
        Ok(())
    }

    /// What was counted: of the Administrative API, then of Discovery.
    pub(crate) fn counts(&self) -> [RateCount; 2] {
        [self.admin.count, self.discovery.count]
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Window {
    /// Counts a request in the 60 seconds that end now.
    fn add(&mut self, now: DateTime<Utc>) {
        while self
            .recent
            .front()
            .is_some_and(|first| now - *first >= TimeDelta::minutes(1))
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.count.most_in_a_minute = self.count.most_in_a_minute.max(self.recent.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a request is let through that many seconds after the start.
    fn take(limiter: &mut Limiter, limit: &RateLimit, seconds: i64) -> bool {
        let start = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        limiter
            .take(Budget::Admin, limit, start + TimeDelta::seconds(seconds))
            .is_ok()
    }

    #[test]
    fn an_excess_closes_the_account_for_the_whole_cooldown() {
        let mut limiter = Limiter::default();
        let limit = RateLimit {
            admin_per_minute: Some(2),
            ..RateLimit::default()
        };
        let mut at = |seconds| take(&mut limiter, &limit, seconds);
        assert_eq!([at(0), at(1), at(2)], [true, true, false]);
        assert_eq!([at(62), at(301)], [false, false]);
        assert!(at(302));
    }

    #[test]
    fn any_sixty_seconds_are_counted_and_not_only_those_of_a_clock() {
        let mut limiter = Limiter::default();
        let limit = RateLimit {
            admin_per_minute: Some(3),
            ..RateLimit::default()
        };
        let mut at = |seconds| take(&mut limiter, &limit, seconds);
        assert_eq!([at(0), at(50), at(55), at(60)], [true; 4]);
        assert!(!at(61), "50, 55, 60, 61");
        let [admin, discovery] = limiter.counts();
        assert_eq!((admin.most_in_a_minute, admin.refused), (4, 1));
        assert_eq!(discovery, RateCount::default());
    }
}
