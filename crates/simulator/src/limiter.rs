//! The rate limit of an account: a number of requests a minute; after an excess, a cooldown in which all are refused.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

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

#[derive(Debug, Default)]
struct Window {
    opened: Option<DateTime<Utc>>,
    count: u32,
    closed_until: Option<DateTime<Utc>>,
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
        if let Some(until) = window.closed_until {
            if now < until {
                return Err((until - now).to_std().unwrap_or_default());
            }
            *window = Window::default();
        }
        if window.opened.is_none_or(|opened| now - opened >= TimeDelta::minutes(1)) {
            *window = Window {
                opened: Some(now),
                ..Window::default()
            };
        }
        if window.count >= allowed {
            window.closed_until = Some(now + TimeDelta::from_std(limit.cooldown).unwrap_or_default());
            return Err(limit.cooldown);
        }
        window.count += 1;
        Ok(())
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excess_closes_the_account_for_the_whole_cooldown() {
        let mut limiter = Limiter::default();
        let limit = RateLimit {
            admin_per_minute: Some(2),
            ..RateLimit::default()
        };
        let start = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        let mut at = |seconds| {
            limiter
                .take(Budget::Admin, &limit, start + TimeDelta::seconds(seconds))
                .is_ok()
        };
        assert_eq!([at(0), at(1), at(2)], [true, true, false]);
        assert_eq!([at(62), at(301)], [false, false]);
        assert!(at(302));
    }
}
