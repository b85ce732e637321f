//! How much a caller may ask: requests a second for each key, requests at once for all, and how long a request's head is.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use model::ApiKeyId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Kind, Problem};

/// The limits' settings. This replica grants its share of a key's rate.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Requests a second for each key, over all replicas; 0: no limit.
    pub requests_per_second: u32,
    /// How many may come at once before the rate counts, over all replicas, from 1.
    pub burst: u32,
    /// How many replicas share the rate, from 1.
    pub replicas: u32,
    /// Requests under way at once in this process, from 1.
    pub max_concurrent_requests: usize,
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
    places: Arc<Semaphore>,
}

impl Limits {
    /// Limits with nothing used up.
    pub fn new(settings: LimitSettings) -> Self {
        let share = |whole: u32| NonZeroU32::new(whole.div_ceil(settings.replicas.max(1)));
        let quota = share(settings.requests_per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(share(settings.burst).unwrap_or(NonZeroU32::MIN)));
        Self {
            settings,
            keys: quota.map(DefaultKeyedRateLimiter::keyed),
            places: Arc::new(Semaphore::new(settings.max_concurrent_requests)),
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

    /// A place among the requests under way; it is given back when the permit is dropped.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Problem::new(
                Kind::BUSY,
                "Too many requests are under way. dbt Cloud was not contacted.",
            )
            .retry_after(Some(Duration::from_secs(1)))
        })
    }

    /// How many requests are under way, and how many may be.
    pub(crate) fn places(&self) -> (usize, usize) {
        let limit = self.settings.max_concurrent_requests;
        (limit.saturating_sub(self.places.available_permits()), limit)
    }

    /// Whether the request's head is of a reasonable length.
    pub(crate) fn fits(&self, request: &Request) -> Result<(), Problem> {
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

    /// Forgets keys that have not asked for a while, so that memory stays bounded. Call it now and then.
    pub fn tidy(&self) {
        if let Some(keys) = &self.keys {
            keys.retain_recent();
        }
    }
}
