//! Limits on callers: requests a second for each key, and the size of a request's head.

use std::num::NonZeroU32;

use axum::extract::Request;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use model::ApiKeyId;

use crate::problem::{Kind, Problem};

/// The settings of the limits. Each replica grants its share of a key's rate.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Requests a second for each key, over all replicas; 0: no limit.
    pub requests_per_second: u32,
    /// Requests that may exceed the rate in a burst, over all replicas, from 1.
    pub burst: u32,
    /// The number of replicas that share the rate, from 1.
    pub replicas: u32,
    /// The longest path with its query, in bytes.
    pub max_url_bytes: usize,
    /// All header names and values together, in bytes.
    pub max_header_bytes: usize,
}

/// The limits of this process.
#[derive(Debug)]
pub struct Limits {
    settings: LimitSettings,
    keys: Option<DefaultKeyedRateLimiter<ApiKeyId>>,
}

impl Limits {
    /// Limits with nothing used.
    pub fn new(settings: LimitSettings) -> Self {
        let share = |whole: u32| NonZeroU32::new(whole.div_ceil(settings.replicas.max(1)));
        let quota = share(settings.requests_per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(share(settings.burst).unwrap_or(NonZeroU32::MIN)));
        Self {
            settings,
            keys: quota.map(DefaultKeyedRateLimiter::keyed),
        }
    }

    /// Counts a request of that key.
    pub(crate) fn check(&self, key: ApiKeyId) -> Result<(), Problem> {
        let Some(Err(excess)) = self.keys.as_ref().map(|keys| keys.check_key(&key)) else {
            return Ok(());
        };
        let wait = excess.wait_time_from(DefaultClock::default().now());
        let detail = format!(
            "This key may send {} requests a second.",
            self.settings.requests_per_second
        );
        Err(Problem::new(Kind::KEY_RATE_LIMIT, detail).retry_after(Some(wait)))
    }

    /// Checks the size of the request's head.
    pub(crate) fn check_head(&self, request: &Request) -> Result<(), Problem> {
        let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        if url > self.settings.max_url_bytes {
            let detail = format!("Path and query are longer than {} bytes.", self.settings.max_url_bytes);
            return Err(Problem::new(Kind::URL_TOO_LONG, detail));
        }
        let headers: usize = request
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if headers > self.settings.max_header_bytes {
            let detail = format!("The headers are longer than {} bytes.", self.settings.max_header_bytes);
            return Err(Problem::new(Kind::HEADERS_TOO_LARGE, detail));
        }
        Ok(())
    }

    /// Drops the state of idle keys, so that memory stays bounded. To be called periodically.
    pub fn tidy(&self) {
        if let Some(keys) = &self.keys {
            keys.retain_recent();
        }
    }
}
